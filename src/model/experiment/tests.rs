//! Combinations of conditions, their seeds for ever, and what does not fit.

use super::*;

fn experiment(arguments: &str, named: Vec<Named>, shared: &str) -> Result<Experiment, ExperimentError> {
    let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
    let shared: Settings = toml::from_str(shared).unwrap();
    Experiment::new(&arguments, named, (&shared, &shared), Seed(7), &Registry::default())
}

fn named(name: &str, settings: &str) -> Named {
    Named { name: name.into(), settings: toml::from_str(settings).unwrap() }
}

fn rows(experiment: &Experiment) -> Vec<String> {
    experiment.conditions().iter().map(|condition| condition.cells().join(" ")).collect()
}

#[test]
fn the_first_setting_varies_slowest() {
    let all = experiment("rates=1-6 rates=3-4 draw=10 draw=4", Vec::new(), "runs = 5").unwrap();
    assert_eq!(rows(&all), ["1-6 10", "1-6 4", "3-4 10", "3-4 4"]);
    assert_eq!((all.len(), all.at(0), all.at(5), all.at(19)), (20, (0, 1), (1, 1), (3, 5)));
    assert!((0..20).all(|place| all.place(all.at(place).0, all.at(place).1) == place));
    assert_eq!(all.label(&all.conditions()[1]), "rates=1-6 draw=4");
}

#[test]
fn named_conditions_have_columns_for_what_any_of_them_says() {
    let three = vec![named("plain", ""), named("narrow", "rates = \"3-4\""), named("busy", "draw = 4")];
    let all = experiment("loss=0 loss=0.1", three, "vms = 4").unwrap();
    assert_eq!(all.factors().iter().map(|facts| facts.name).collect::<Vec<_>>(), ["rates", "draw", "loss"]);
    let expected = ["1-6 10 0", "1-6 10 0.1", "3-4 10 0", "3-4 10 0.1", "1-6 4 0", "1-6 4 0.1"];
    assert_eq!(rows(&all), expected);
    assert_eq!(all.conditions()[3].name(), Some("narrow"));
    assert!(all.conditions().iter().all(|condition| condition.scenario().vms() == 4));
}

#[test]
fn an_outline_makes_the_same_experiment_again() {
    let two = vec![named("a", "rates = \"3-4\""), named("b", "partition = [\"1s-2s:0/1\"]")];
    let all = experiment("draw=4..5 latency=1ms..9ms:2", two, "runs = 2").unwrap();
    let text = toml::to_string(&all.outline()).unwrap();
    let outline: Outline = toml::from_str(&text).unwrap();
    assert_eq!(outline, all.outline());
    let shared = toml::from_str("runs = 2").unwrap();
    let again = Experiment::of_outline(&outline, &shared, Seed(7), &Registry::default()).unwrap();
    assert_eq!((rows(&again), again.len()), (rows(&all), 16));
    let seeds =
        |all: &Experiment| all.conditions().iter().map(|condition| condition.seed(2)).collect::<Vec<_>>();
    assert_eq!(seeds(&again), seeds(&all));
}

/// What a seed means is part of clocklab's promise, in every version.
#[test]
fn a_runs_seed_follows_from_the_seed_the_condition_and_its_number_alone() {
    let seeds = |arguments: &str| {
        let all = experiment(arguments, Vec::new(), "").unwrap();
        let one =
            all.conditions().iter().find(|condition| condition.cells().contains(&"4".to_owned())).unwrap();
        (one.seed(1).0, one.seed(2).0)
    };
    let golden = (622_412_757_051_926, 388_038_722_558_297);
    assert_eq!(seeds("rates=1-6 draw=4"), golden);
    assert_eq!(seeds("draw=9 draw=4..5 rates=1-6"), golden);
    assert_ne!(seeds("rates=1-5 draw=4"), golden);
    let same = experiment("", vec![named("any name", "rates = \"1-6\"\ndraw = 4")], "").unwrap();
    assert_eq!(same.conditions()[0].seed(1).0, golden.0);
}

#[test]
fn what_does_not_fit_is_told_with_the_condition_before_anything_runs() {
    let check = |arguments: &str, conditions: Vec<Named>, shared: &str, expected: &str| {
        let error = experiment(arguments, conditions, shared).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("", Vec::new(), "", "no condition is named");
    check(
        "rates=1-6 rates=6,2",
        Vec::new(),
        "",
        "condition rates=6,2: invalid value '6,2' for setting `rates`",
    );
    check(
        "draw=4",
        Vec::new(),
        "draw = 5",
        "'draw' is given for all conditions with setting `draw`, and varies",
    );
    check("draw=4", vec![named("a", "draw = 3")], "", "'draw' is a setting of the condition 'a'");
    check("", vec![named("a", "draw = 3"), named("a", "draw = 4")], "", "have the same name");
    check("", vec![named("a", "draw = 10"), named("b", "")], "", "are the same");
    check("", vec![named("a", "seed = 3")], "", "'seed' cannot vary");
    check("", vec![named("a\nb", "draw = 3")], "", "cannot name a condition");
    check("draw=1..1000 skew=1ms..1000ms:1000", Vec::new(), "runs = 100", "are too many");
}
