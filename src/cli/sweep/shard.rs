//! Which share of a sweep this process makes: as somebody says, or as those tell who started it together with others.

use std::fmt;
use std::str::FromStr;

use crate::model::experiment::{ParseShardError, Shard};

/// A share, or who is to be asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShardChoice {
    Fixed(Shard),
    /// As the environment tells, of so many where it does not tell how many there are.
    Auto(Option<u32>),
}

impl FromStr for ShardChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |_: ParseShardError| format!("{ParseShardError}; or auto, or auto/n");
        if text == "auto" {
            return Ok(Self::Auto(None));
        }
        match text.strip_prefix("auto/") {
            // The last of so many is one of them if any is.
            Some(count) => format!("{count}/{count}")
                .parse()
                .map(|shard: Shard| Self::Auto(Some(shard.count())))
                .map_err(allowed),
            None => text.parse().map(Self::Fixed).map_err(allowed),
        }
    }
}

impl fmt::Display for ShardChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(shard) => shard.fmt(f),
            Self::Auto(None) => f.write_str("auto"),
            Self::Auto(Some(count)) => write!(f, "auto/{count}"),
        }
    }
}

impl ShardChoice {
    /// The share, where `variable` tells what the environment has.
    ///
    /// # Errors
    ///
    /// Where it does not say, or says something else than what is asked for.
    pub(super) fn resolve(self, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, String> {
        let count = match self {
            Self::Fixed(shard) => return Ok(shard),
            Self::Auto(count) => count,
        };
        let number = |name: &str| -> Result<Option<u32>, String> {
            let Some(text) = variable(name).filter(|text| !text.is_empty()) else { return Ok(None) };
            text.trim()
                .parse()
                .map(Some)
                .map_err(|_parse_int_error| format!("{name} is '{text}', which is no number"))
        };
        let source = [slurm, kubernetes, parallel].into_iter().find_map(|ask| ask(&number).transpose());
        let Some(found) = source.transpose()? else {
            return Err("no launcher tells which share this is: there is none of SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX \
                        (Kubernetes) and PARALLEL_SEQ (GNU parallel); say it, as in 2/3"
                .into());
        };
        let all = match (found.count, count) {
            (Some(found_count), Some(count)) if found_count != count => {
                return Err(format!(
                    "{} tells of {found_count} shares, and asked for are {count}",
                    found.from
                ));
            }
            (found_count, count) => found_count.or(count),
        };
        let Some(all) = all else {
            return Err(format!(
                "{} tells which share this is and not of how many: say that, as in auto/8",
                found.from
            ));
        };
        Shard::new(found.number, all).ok_or_else(|| {
            format!("{} tells that this is number {}, and there are {all} shares", found.from, found.number)
        })
    }
}

/// What a launcher tells.
struct Told {
    from: &'static str,
    /// From 1.
    number: u32,
    count: Option<u32>,
}

type Number<'a> = dyn Fn(&str) -> Result<Option<u32>, String> + 'a;

/// A task of an array, whose numbers go from MIN to MAX by STEP.
fn slurm(number: &Number<'_>) -> Result<Option<Told>, String> {
    let from = "SLURM_ARRAY_TASK_ID";
    let Some(id) = number(from)? else { return Ok(None) };
    let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
    let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
    let count = number("SLURM_ARRAY_TASK_COUNT")?;
    let place = id.checked_sub(first).filter(|place| place.is_multiple_of(step));
    let place = place.ok_or_else(|| format!("{from} is {id}, and the first of its array is {first}"))?;
    Ok(Some(Told { from, number: place / step + 1, count }))
}

/// A pod of an indexed job, from 0.
fn kubernetes(number: &Number<'_>) -> Result<Option<Told>, String> {
    let from = "JOB_COMPLETION_INDEX";
    Ok(number(from)?.map(|index| Told { from, number: index.saturating_add(1), count: None }))
}

/// A job of GNU parallel, from 1.
fn parallel(number: &Number<'_>) -> Result<Option<Told>, String> {
    let from = "PARALLEL_SEQ";
    Ok(number(from)?.map(|number| Told { from, number, count: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(choice: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
        };
        choice.parse::<ShardChoice>()?.resolve(variable).map(|shard| shard.to_string())
    }

    #[test]
    fn launchers_tell_which_share_this_is() {
        let check = |choice: &str, variables: &[(&str, &str)], expected: &str| {
            assert_eq!(resolve(choice, variables).as_deref(), Ok(expected), "{variables:?}");
        };
        check("2/3", &[("SLURM_ARRAY_TASK_ID", "1")], "2/3");
        let slurm =
            [("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_COUNT", "4")];
        check("auto", &slurm, "3/4");
        check("auto/4", &slurm, "3/4");
        let stepped = [
            ("SLURM_ARRAY_TASK_ID", "10"),
            ("SLURM_ARRAY_TASK_MIN", "0"),
            ("SLURM_ARRAY_TASK_STEP", "5"),
            ("SLURM_ARRAY_TASK_COUNT", "3"),
        ];
        check("auto", &stepped, "3/3");
        check("auto/8", &[("JOB_COMPLETION_INDEX", "0")], "1/8");
        check("auto/8", &[("PARALLEL_SEQ", "8")], "8/8");
    }

    #[test]
    fn what_they_do_not_tell_is_asked_for() {
        let check = |choice: &str, variables: &[(&str, &str)], part: &str| {
            let error = resolve(choice, variables).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        check("auto", &[], "no launcher tells");
        check("auto", &[("JOB_COMPLETION_INDEX", "2")], "say that, as in auto/8");
        check("auto/2", &[("JOB_COMPLETION_INDEX", "2")], "number 3, and there are 2 shares");
        check("auto/8", &[("PARALLEL_SEQ", "nine")], "PARALLEL_SEQ is 'nine', which is no number");
        let slurm = [("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_COUNT", "4")];
        check("auto/5", &slurm, "tells of 4 shares, and asked for are 5");
        check("auto/0", &[], "must be k/n");
        check("3/2", &[], "must be k/n with k from 1 to n");
    }
}
