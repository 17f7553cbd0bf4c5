//! Nodes that a launcher starts.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::process::Command;

use crate::common::cluster::Cluster;
use crate::common::{is_log, names};
use crate::wants::{self, MPIRUN};

wants::wanting!(MPIRUN: mpirun_numbers_the_nodes);

fn mpirun_numbers_the_nodes() {
    let cluster = Cluster::new(3, "");
    // A node list without --listen: each process finds its own address by its rank.
    let script = format!(
        "exec {} --nodes {} --node auto --vms 6 --duration 1 --rates 50 --output o$OMPI_COMM_WORLD_RANK",
        env!("CARGO_BIN_EXE_clocklab"),
        cluster.list.join(",")
    );
    let mut command = Command::new("mpirun");
    command.current_dir(cluster.folder.path());
    command.args(["--allow-run-as-root", "--oversubscribe", "-n", "3", "sh", "-c", &script]);
    cluster.spawn(0, command).end(0);
    let run = cluster.assert_whole();
    assert_eq!(run.vms.values().map(Vec::len).collect::<Vec<_>>(), [50; 6]);
    let printed = names(cluster.folder.path());
    assert!(
        printed.iter().filter(|name| name.starts_with('o')).count() == 3
            && !printed.iter().any(|name| is_log(name))
    );
    // Without a folder of its own choice each has one in the output folder.
    let mut command = Command::new("mpirun");
    command.current_dir(cluster.folder.path());
    command.args(["--allow-run-as-root", "--oversubscribe", "-n", "3", env!("CARGO_BIN_EXE_clocklab")]);
    command.args([
        "--node",
        "auto",
        "--vms",
        "3",
        "--duration",
        "500ms",
        "--rates",
        "50",
        "--nodes",
        &cluster.list.join(","),
    ]);
    cluster.spawn(0, command).end(0);
    let mut check = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    let checked = check.current_dir(cluster.folder.path()).arg("check").output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && said.starts_with("output: sound: 3 machines, "), "{said}");
}
