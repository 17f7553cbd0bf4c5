//! The page's script, made of its modules.
//!
//! They are written as a browser's own modules, so that tools can check who uses what. A page that is one file cannot
//! import: here they are put one behind the other, each after those that it imports from, in one scope of their own.

/// The modules: each imports only from those before it.
const MODULES: [&str; 13] = [
    include_str!("history.js"),
    include_str!("causality.js"),
    include_str!("elements.js"),
    include_str!("viewport.js"),
    include_str!("surface.js"),
    include_str!("painter.js"),
    include_str!("overview.js"),
    include_str!("answers.js"),
    include_str!("cut.js"),
    include_str!("hands.js"),
    include_str!("diagram.js"),
    include_str!("values.js"),
    include_str!("start.js"),
];

/// Adds the script to a page.
pub(super) fn push(html: &mut String) {
    html.push_str("\"use strict\";\n(() => {\n");
    for line in MODULES.iter().flat_map(|module| module.lines()) {
        // What one imports is in scope already.
        if !line.starts_with("import ") {
            html.push_str(line.strip_prefix("export ").unwrap_or(line));
            html.push('\n');
        }
    }
    html.push_str("})();\n");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names that a line declares at the top of a module, such as `export const LEFT = 62, RIGHT = 14;`.
    fn declared(line: &str) -> Vec<&str> {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((keyword, rest)) = line.split_once(' ') else { return Vec::new() };
        let until = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '$').unwrap_or(text.len());
        match keyword {
            "function" | "class" | "let" => vec![&rest[..until(rest)]],
            "const" => {
                let first = &rest[..until(rest)];
                let more = rest
                    .split(", ")
                    .skip(1)
                    .filter(|_| !rest.contains("("))
                    .filter_map(|part| part.split_once(" = "));
                let more = more.map(|(name, _)| name).filter(|name| until(name) == name.len());
                std::iter::once(first).chain(more).collect()
            }
            _ => Vec::new(),
        }
    }

    /// All modules share one scope: a name at the top of one is that of no other, and is there before it is imported.
    #[test]
    fn what_is_imported_was_exported_before() {
        let (mut exported, mut at_the_top) = (BTreeSet::new(), BTreeSet::new());
        for line in MODULES.iter().flat_map(|module| module.lines()) {
            if let Some(names) = line.strip_prefix("import { ") {
                let (names, _) = names.split_once(" } from \"./").expect("all imports look so");
                let missing: Vec<&str> = names.split(", ").filter(|name| !exported.contains(name)).collect();
                assert!(missing.is_empty(), "{line}: {missing:?} is not exported before: {exported:?}");
            }
            for name in declared(line) {
                assert!(at_the_top.insert(name), "{line}: {name} stands at the top of two modules");
                if line.starts_with("export ") {
                    exported.insert(name);
                }
            }
        }
        let mut script = String::new();
        push(&mut script);
        assert!(["LEFT", "RIGHT", "$", "History"].iter().all(|name| exported.contains(name)), "{exported:?}");
        assert!(!script.lines().any(|line| line.starts_with("import ") || line.starts_with("export ")));
    }
}
