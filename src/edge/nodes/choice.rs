//! Which node this process is: a number, or what its launcher tells.

use std::fmt;
use std::str::FromStr;

use crate::model::text::as_text;

/// Which node a process is, as people write it: a number from 0, or `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeChoice {
    /// What the launcher of the process tells: `mpirun`, `srun`, Kubernetes.
    Auto,
    /// The node of that number, counted from 0 in the order of `--nodes`.
    Number(u32),
}

/// A launcher, as it shows in the environment of a process.
struct Launcher {
    /// The variable that has the number of the process.
    rank: &'static str,
    /// The variables of which the first one that is set has the number of all processes.
    sizes: &'static [&'static str],
}

/// The launchers, in the order in which they count: the innermost first.
///
/// One may run within another: `mpirun` in a job of Slurm, and Slurm in pods of Kubernetes. Then both
/// have left their variables, and the processes of the run are the inner one's. Open MPI's own variable
/// comes before PMIx's and PMI's, which Slurm may have set for `mpirun` itself.
const LAUNCHERS: [Launcher; 5] = [
    Launcher { rank: "OMPI_COMM_WORLD_RANK", sizes: &["OMPI_COMM_WORLD_SIZE"] },
    Launcher { rank: "PMIX_RANK", sizes: &[] },
    Launcher { rank: "PMI_RANK", sizes: &["PMI_SIZE"] },
    // A step may have fewer tasks than its job.
    Launcher { rank: SLURM_RANK, sizes: &[SLURM_STEP_SIZE, "SLURM_NTASKS"] },
    Launcher { rank: "JOB_COMPLETION_INDEX", sizes: &[] },
];

const SLURM_RANK: &str = "SLURM_PROCID";
const SLURM_STEP_SIZE: &str = "SLURM_STEP_NUM_TASKS";
const SLURM_JOB: &str = "SLURM_JOB_ID";

/// Has the pod's name where its manifest says so.
const POD_NAME: &str = "POD_NAME";
/// Is set in every pod of Kubernetes. A host such as `node-3` says nothing of a run anywhere else.
const KUBERNETES: &str = "KUBERNETES_SERVICE_HOST";
const HOSTNAME: &str = "HOSTNAME";

/// Why it is not known which node a process is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// There is no such node.
    #[error("{of} is {node}: the nodes of the run are numbered from 0 to {}", nodes - 1)]
    Beyond {
        /// The variable that says so, or the setting.
        of: &'static str,
        /// The number that was asked for.
        node: u64,
        /// The number of nodes.
        nodes: u32,
    },
    /// A variable of a launcher has something else than a number.
    #[error("{variable} is `{value}`, which is no whole number")]
    NoNumber {
        /// The launcher's variable that was looked at.
        variable: &'static str,
        /// What the variable holds.
        value: String,
    },
    /// The launcher has started more processes or fewer than there are nodes.
    #[error("{variable} is {processes}, and the run has {nodes} nodes: each node needs one process")]
    Size {
        /// The launcher's variable that tells the number of its processes.
        variable: &'static str,
        /// The number of processes.
        processes: u64,
        /// The number of nodes.
        nodes: u32,
    },
    /// The process was started by a job's script and not by `srun`; Slurm calls the script itself task 0.
    #[error("this is a batch script of Slurm, and none of its tasks: srun starts the nodes")]
    BatchScript,
    /// No launcher has left a number.
    #[error(
        "nothing tells which node this is: there is no OMPI_COMM_WORLD_RANK, PMIX_RANK or PMI_RANK (mpirun), no SLURM_PROCID (srun), \
         no JOB_COMPLETION_INDEX (an indexed job of Kubernetes), and no POD_NAME or host name of a pod that ends in a number \
         such as lab-2 (a StatefulSet); give the number of the node"
    )]
    NotFound,
}

impl NodeChoice {
    /// The node, one of so many. For `auto` see [`from_launcher`].
    ///
    /// # Errors
    ///
    /// Where there is no such node, or nothing tells which.
    pub fn resolve(
        self,
        var: impl Fn(&str) -> Option<String>,
        hostname: Option<&str>,
        nodes: u32,
    ) -> Result<u32, NodeError> {
        match self {
            Self::Auto => from_launcher(var, hostname, nodes),
            Self::Number(node) => one_of("setting `node`", node.into(), nodes),
        }
    }
}

/// The node that the launcher of this process has made it, one of so many: from the variables of the
/// innermost launcher; or else, in a pod of Kubernetes, from the number at the end of its name. An empty
/// variable is none.
///
/// # Errors
///
/// Where nothing tells it, or what tells it does not fit the nodes.
pub fn from_launcher(
    var: impl Fn(&str) -> Option<String>,
    hostname: Option<&str>,
    nodes: u32,
) -> Result<u32, NodeError> {
    let var = |name: &str| var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    for launcher in &LAUNCHERS {
        let Some(rank) = number(launcher.rank, var)? else { continue };
        if launcher.rank == SLURM_RANK && nodes > 1 && is_batch_script(var) {
            return Err(NodeError::BatchScript);
        }
        for variable in launcher.sizes {
            let Some(processes) = number(variable, var)? else { continue };
            if processes != u64::from(nodes) {
                return Err(NodeError::Size { variable, processes, nodes });
            }
            break;
        }
        return one_of(launcher.rank, rank, nodes);
    }
    if let Some(node) = var(POD_NAME).and_then(|name| ordinal(&name)) {
        return one_of(POD_NAME, node, nodes);
    }
    if var(KUBERNETES).is_some() {
        let name = var(HOSTNAME).or_else(|| hostname.map(str::to_owned));
        if let Some(node) = name.and_then(|name| ordinal(&name)) {
            return one_of(HOSTNAME, node, nodes);
        }
    }
    Err(NodeError::NotFound)
}

/// Whether a process in a job of Slurm is in none of its steps.
fn is_batch_script(var: impl Fn(&str) -> Option<String>) -> bool {
    var(SLURM_JOB).is_some() && var(SLURM_STEP_SIZE).is_none()
}

fn number(variable: &'static str, var: impl Fn(&str) -> Option<String>) -> Result<Option<u64>, NodeError> {
    let Some(value) = var(variable) else { return Ok(None) };
    match value.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_no_number) => Err(NodeError::NoNumber { variable, value }),
    }
}

fn one_of(of: &'static str, node: u64, nodes: u32) -> Result<u32, NodeError> {
    let found = u32::try_from(node).ok().filter(|node| *node < nodes);
    found.ok_or(NodeError::Beyond { of, node, nodes })
}

/// The number at the end of a pod's name, which a domain may follow.
fn ordinal(name: &str) -> Option<u64> {
    let pod = name.split('.').next()?;
    let (_, digits) = pod.rsplit_once('-')?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// Why a text names no node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the number of a node, from 0, or auto")]
pub struct ParseNodeChoiceError;

impl FromStr for NodeChoice {
    type Err = ParseNodeChoiceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            number => number.parse().map(Self::Number).map_err(|_no_number| ParseNodeChoiceError),
        }
    }
}

impl fmt::Display for NodeChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Number(node) => node.fmt(f),
        }
    }
}

as_text!(NodeChoice);

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks up a variable in lines of `NAME=value`, as `env` prints them.
    fn resolve(environment: &str, hostname: Option<&str>, nodes: u32) -> Result<u32, NodeError> {
        let var = |name: &str| {
            let mut lines = environment.split_whitespace().filter_map(|line| line.split_once('='));
            lines.find(|(variable, _)| *variable == name).map(|(_, value)| value.to_owned())
        };
        NodeChoice::Auto.resolve(var, hostname, nodes)
    }

    /// What `mpirun -n 3 env` prints for the last process, Open MPI 4.1.4.
    const OPEN_MPI: &str = "
        OMPI_COMMAND=env OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_LOCAL_SIZE=3 PMIX_NAMESPACE=150339585 PMIX_RANK=2
        PMIX_SERVER_URI4=150339584.0;tcp4://127.0.0.1:33345 PMIX_HOSTNAME=vm PMIX_VERSION=4.2.2rc2
        OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_LOCAL_RANK=2 OMPI_COMM_WORLD_NODE_RANK=2 PMIX_ID=150339585.2";
    /// What `mpiexec -n 2 env` prints for the last process, MPICH 4.0.2.
    const MPICH: &str =
        "HYDI_CONTROL_FD=7 MPI_LOCALNRANKS=2 MPI_LOCALRANKID=1 PMI_RANK=1 PMI_FD=8 PMI_SIZE=2";

    /// What `srun -n 3 env` prints for the last process, Slurm 22.05.8.
    const SLURM: &str =
        "SLURM_JOB_ID=1 SLURM_NPROCS=3 SLURM_NTASKS=3 SLURM_PROCID=2 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=3";
    /// What `env` prints in the script of a job of two tasks.
    const SLURM_SCRIPT: &str = "SLURM_JOB_ID=2 SLURM_NPROCS=2 SLURM_NTASKS=2 SLURM_PROCID=0";
    /// What `mpiexec -n 2 env` of MPICH leaves of Slurm's for each process when such a script calls it.
    const SLURM_AROUND_MPICH: &str =
        "SLURM_JOB_ID=2 SLURM_NPROCS=1 SLURM_NTASKS=2 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1";

    #[test]
    fn launchers_tell_the_node() {
        let check = |environment: &str, nodes, node| assert_eq!(resolve(environment, None, nodes), Ok(node));
        check(OPEN_MPI, 3, 2);
        check(MPICH, 2, 1);
        check("PMIX_RANK=1", 3, 1);
        check("PMI_RANK=0", 3, 0);
        check(SLURM, 3, 2);
        check("SLURM_PROCID=2 SLURM_NTASKS=3", 3, 2);
        check("SLURM_PROCID=0", 3, 0);
        check("JOB_COMPLETION_INDEX=4 HOSTNAME=lab-4", 5, 4);
        check("POD_NAME=clock-lab-2", 3, 2);
        check("HOSTNAME=lab-2 KUBERNETES_SERVICE_HOST=10.0.0.1", 3, 2);
    }

    #[test]
    fn the_innermost_launcher_counts() {
        let check = |environment: &str, nodes, node| assert_eq!(resolve(environment, None, nodes), Ok(node));
        check(
            "SLURM_PROCID=0 SLURM_NTASKS=1 PMI_RANK=0 PMI_SIZE=1 OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_SIZE=4",
            4,
            3,
        );
        check(&format!("{SLURM_SCRIPT} {OPEN_MPI}"), 3, 2);
        check(&format!("{SLURM_AROUND_MPICH} {MPICH}"), 2, 1);
        check("SLURM_PROCID=1 SLURM_NTASKS=2 JOB_COMPLETION_INDEX=0 POD_NAME=lab-0", 2, 1);
        check("SLURM_PROCID=1 SLURM_NTASKS=8 SLURM_STEP_NUM_TASKS=2", 2, 1);
        check("JOB_COMPLETION_INDEX=1 POD_NAME=lab-0", 2, 1);
        check("POD_NAME=lab-1 HOSTNAME=worker-7 KUBERNETES_SERVICE_HOST=10.0.0.1", 2, 1);
    }

    #[test]
    fn a_host_name_counts_in_a_pod_only() {
        let pod = "KUBERNETES_SERVICE_HOST=10.0.0.1";
        let check = |environment, hostname, node| assert_eq!(resolve(environment, Some(hostname), 3), node);
        check(pod, "lab-2", Ok(2));
        check(pod, "lab-2.lab.default.svc.cluster.local", Ok(2));
        check("", "lab-2", Err(NodeError::NotFound));
        check("HOSTNAME=lab-2", "lab-2", Err(NodeError::NotFound));
        for hostname in ["lab", "2", "lab-", "lab-x2", "lab-+2", "lab-7d9f8-x2x4z", ""] {
            check(pod, hostname, Err(NodeError::NotFound));
        }
    }

    #[test]
    fn a_script_of_slurm_is_no_node_of_several() {
        assert_eq!(resolve(SLURM_SCRIPT, None, 2), Err(NodeError::BatchScript));
        assert_eq!(resolve("SLURM_JOB_ID=2 SLURM_PROCID=0 SLURM_NTASKS=1", None, 1), Ok(0));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let check = |environment: &str, nodes, said: &str| {
            assert_eq!(resolve(environment, None, nodes).unwrap_err().to_string(), said);
        };
        check(OPEN_MPI, 4, "OMPI_COMM_WORLD_SIZE is 3, and the run has 4 nodes: each node needs one process");
        check(
            "SLURM_PROCID=0 SLURM_NTASKS=9",
            4,
            "SLURM_NTASKS is 9, and the run has 4 nodes: each node needs one process",
        );
        check("PMIX_RANK=3", 3, "PMIX_RANK is 3: the nodes of the run are numbered from 0 to 2");
        check(
            "POD_NAME=lab-18446744073709551615",
            3,
            "POD_NAME is 18446744073709551615: the nodes of the run are numbered from 0 to 2",
        );
        check("PMI_RANK=x", 3, "PMI_RANK is `x`, which is no whole number");
        check("PMI_RANK=-1", 3, "PMI_RANK is `-1`, which is no whole number");
        check("PMI_RANK=1 PMI_SIZE=many", 3, "PMI_SIZE is `many`, which is no whole number");
        check(
            "JOB_COMPLETION_INDEX=99999999999999999999",
            3,
            "JOB_COMPLETION_INDEX is `99999999999999999999`, which is no whole number",
        );
    }

    #[test]
    fn nothing_found_tells_what_was_looked_for() {
        let said = resolve("OMPI_COMM_WORLD_RANK= PATH=/bin", Some("node-3"), 4).unwrap_err().to_string();
        for Launcher { rank, .. } in &LAUNCHERS {
            assert!(said.contains(rank), "{rank}");
        }
        assert!(said.contains(POD_NAME) && said.contains("StatefulSet"), "{said}");
    }

    #[test]
    fn a_number_is_that_node() {
        let choose = |text: &str, nodes| {
            let choice: NodeChoice = text.parse().unwrap();
            assert_eq!(choice.to_string(), text.trim());
            choice.resolve(|_| Some("1".to_owned()), None, nodes)
        };
        assert_eq!(choose("2", 3), Ok(2));
        assert_eq!(
            choose("3", 3).unwrap_err().to_string(),
            "setting `node` is 3: the nodes of the run are numbered from 0 to 2"
        );
        assert!(choose(" auto ", 1).is_err(), "the environment is asked");
        for text in ["", "-1", "x", "1.5", "AUTO", "4294967296"] {
            assert_eq!(text.parse::<NodeChoice>(), Err(ParseNodeChoiceError), "{text}");
        }
    }
}
