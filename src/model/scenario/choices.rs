//! Settings that are one of a few words.

use crate::model::text::words;

words! {
    /// When a machine's first tick is due.
    pub enum Phase {
        /// Anywhere in its first period, drawn from the seed.
        Random = "random",
        /// At the end of its first period.
        Aligned = "aligned",
    }
}

words! {
    /// Whether a rule holds.
    pub enum Switch {
        /// The rule holds; a scenario file may say `true` as well.
        On = "on",
        /// The rule does not hold; a scenario file may say `false` as well.
        Off = "off",
    }
}

words! {
    /// Where the events are logged.
    pub enum LogChoice {
        /// A file for each machine.
        PerVm = "per-vm",
        /// A few files, each with a range of machines.
        Combined = "combined",
        /// Nowhere: there are a summary and a manifest only.
        None = "none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_refused_with_the_list() {
        assert_eq!("aligned".parse(), Ok(Phase::Aligned));
        assert_eq!(LogChoice::PerVm.to_string(), "per-vm");
        assert_eq!("Random".parse::<Phase>().unwrap_err().to_string(), "must be one of: random, aligned");
    }
}
