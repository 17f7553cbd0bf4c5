//! Text from logs on its way into a page: it shows as text, whatever it is.

use std::fmt::{self, Write};

/// A text in HTML or SVG, between tags or in a quoted attribute.
pub(super) struct Html<T>(pub(super) T);

impl<T: fmt::Display> fmt::Display for Html<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                // Neither HTML nor SVG may contain these.
                c if c.is_control() && !c.is_whitespace() => self.0.write_char('\u{fffd}')?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A text as JSON that may stand in a script element: no tag can begin in it.
pub(super) fn json_text(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => push_code(&mut json, c),
            c if c.is_control() => push_code(&mut json, c),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

fn push_code(json: &mut String, c: char) {
    let _ = write!(json, "\\u{:04x}", u32::from(c));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_what_it_stands_in() {
        assert_eq!(Html("<b a='\"'>&\u{1}").to_string(), "&lt;b a=&#39;&quot;&#39;&gt;&amp;\u{fffd}");
        let text = "</script><!--\"\\\n\u{2028}ü";
        let json = json_text(text);
        assert!(!json.contains('<') && !json.contains('\n'), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
