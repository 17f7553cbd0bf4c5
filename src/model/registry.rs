//! What a program has to choose from: clocklab's own, and what is made with it.
//!
//! It is a value and no closed enumeration: a program that has a workload of its own adds it, and whoever meets a name
//! on the command line, in a manifest or in a scenario file asks here what it stands for.

use crate::workload::{Algorithm, Workloads};

/// What a program has to choose from, by name.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// The algorithms that machines may follow, each by the name that settings give it.
    pub workloads: Workloads,
}

impl Registry {
    /// The same with one more workload, in place of one that has its name.
    ///
    /// # Panics
    ///
    /// Where its description is wrong, as [`Workloads::with`] says.
    #[must_use]
    pub fn with_workload(mut self, algorithm: &'static Algorithm) -> Self {
        self.workloads = self.workloads.with(algorithm);
        self
    }
}
