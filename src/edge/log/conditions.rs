//! Conditions that people give names in a TOML file: what stands at its top holds for all of them, and each table is one.

use std::io;
use std::path::Path;

use toml::de::DeTable;

use super::ManifestError;
use super::manifest::text;
use crate::model::experiment::Named;
use crate::model::scenario::Settings;

/// Reads the settings of all conditions, and the conditions in the order in which they stand in the file.
///
/// # Errors
///
/// Where the file cannot be read, or has a key or a value that is no setting's.
pub fn read_conditions(path: &Path) -> Result<(Settings, Vec<Named>), ManifestError> {
    let read = |source| ManifestError::Read { path: path.to_owned(), source };
    let text = text::read_scenario(path).map_err(read)?;
    let (shared, conditions) = parse_conditions(path, &text)?;
    if conditions.is_empty() {
        let none = "it has no table, and each of its tables would be a condition: [narrow], and below it rates = \"3-4\"";
        return Err(read(io::Error::new(io::ErrorKind::InvalidData, none)));
    }
    Ok((shared, conditions))
}

/// The same of a text; the path is told where something is wrong in it.
///
/// # Errors
///
/// Where it has a key or a value that is no setting's.
pub fn parse_conditions(path: &Path, text: &str) -> Result<(Settings, Vec<Named>), ManifestError> {
    let wrong = |source| ManifestError::Content { path: path.to_owned(), source: Box::new(source) };
    let spanned = DeTable::parse(text).map_err(wrong)?;
    // The table itself has its keys by name.
    let mut order: Vec<(usize, &str)> = spanned
        .get_ref()
        .iter()
        .filter(|(_, value)| value.get_ref().is_table())
        .map(|(key, _)| (key.span().start, &**key.get_ref()))
        .collect();
    order.sort_unstable();
    let mut shared: toml::Table = text.parse().map_err(wrong)?;
    let mut conditions = Vec::with_capacity(order.len());
    for (_, name) in order {
        let Some(toml::Value::Table(table)) = shared.remove(name) else { continue };
        let told = |source: toml::de::Error| ManifestError::Condition {
            path: path.to_owned(),
            condition: name.to_owned(),
            source: Box::new(source),
        };
        conditions.push(Named { name: name.to_owned(), settings: table.try_into().map_err(told)? });
    }
    Ok((shared.try_into().map_err(wrong)?, conditions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Settings, Vec<Named>), String> {
        parse_conditions(Path::new("plan.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn conditions_come_in_the_order_of_the_file() {
        let text = "duration = \"30s\"\n\n[wide]\nrates = \"1-6\"\n\n[narrow]\nrates = \"3-4\"\n\n[busy]\n\
                    draw = 4\npartition = [\"1s-2s:0/1\"]\n";
        let (shared, conditions) = parse(text).unwrap();
        assert_eq!(shared.duration.unwrap().to_string(), "30s");
        let names: Vec<&str> = conditions.iter().map(|named| named.name.as_str()).collect();
        assert_eq!(names, ["wide", "narrow", "busy"]);
        assert_eq!(conditions[1].settings.rates.as_ref().unwrap().to_string(), "3-4");
        assert_eq!(conditions[2].settings.partition.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_told_with_the_file_and_the_condition() {
        let check = |text: &str, parts: &[&str]| {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("plan.toml: "), "{error}");
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        };
        check("[a]\ndrew = 3", &["condition a", "unknown field `drew`: did you mean `draw`?"]);
        check("[a]\ndraw = 0", &["condition a", "`0`: must be a whole number from 1", "draw"]);
        check("drew = 3\n[a]", &["unknown field `drew`"]);
        check("[a", &["line 1"]);
    }
}
