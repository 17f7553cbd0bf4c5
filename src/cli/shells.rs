//! What shells and `man` are told of the command line: it follows from what clap knows, and so from the tables.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use super::flags::Flags;
use super::{Fatal, failed, print_data, usage};
use crate::model::registry::Registry;

const COMPLETED: &str = "\
For bash, in every shell to come:
  clocklab completions bash > ~/.local/share/bash-completion/completions/clocklab
For zsh, in a folder that is in its fpath:
  clocklab completions zsh > ~/.zfunc/_clocklab
For fish:
  clocklab completions fish > ~/.config/fish/completions/clocklab.fish";

const MANUAL: &str = "\
To read it:
  clocklab man | man -l -
For everybody on this machine:
  clocklab man > /usr/local/share/man/man1/clocklab.1
  clocklab man check > /usr/local/share/man/man1/clocklab-check.1";

/// The flags of `completions`.
#[derive(Debug, Args)]
#[command(after_long_help = COMPLETED)]
pub(super) struct CompletionsFlags {
    /// Which shell
    shell: Shell,
}

/// The flags of `man`.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL)]
pub(super) struct ManFlags {
    /// Of which command [default: of a run, and of what there is]
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// Prints what a shell reads to complete command lines.
pub(super) fn completions(flags: &CompletionsFlags, registry: &Registry) -> Result<ExitCode, Fatal> {
    // It would panic where nobody reads what it prints.
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut Flags::command(registry), "clocklab", &mut script);
    print(script)
}

/// Prints a page of the manual, as roff.
pub(super) fn man(flags: &ManFlags, registry: &Registry) -> Result<ExitCode, Fatal> {
    let mut command = Flags::command(registry);
    command.build();
    let command = match &flags.command {
        None => command,
        Some(name) => command.find_subcommand(name).cloned().ok_or_else(|| unknown(name, &command))?,
    };
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command).manual("clocklab").render(&mut page);
    rendered.map_err(|error| failed("cannot make the page", &error))?;
    print(page)
}

fn unknown(name: &str, command: &clap::Command) -> Fatal {
    let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    usage(format_args!("invalid value '{name}' for '[COMMAND]': must be one of: {}", names.join(", ")))
}

fn print(text: Vec<u8>) -> Result<ExitCode, Fatal> {
    let text = String::from_utf8_lossy(&text);
    print_data(&text).map_err(|error| failed("cannot print it", &error))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scenario::Settings;
    use crate::model::setting::{Facts, Holder};

    #[test]
    fn every_shell_completes_every_setting() {
        let facts: Vec<&Facts> = Settings::table().iter().map(|setting| &setting.facts).collect();
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
            let mut script = Vec::new();
            clap_complete::generate(
                shell,
                &mut Flags::command(&Registry::default()),
                "clocklab",
                &mut script,
            );
            let script = String::from_utf8(script).unwrap();
            for facts in &facts {
                assert!(script.contains(facts.name), "{shell} {}", facts.name);
            }
            // Where one of a few words is wanted, PowerShell and Elvish complete names alone.
            let knows_words = [Shell::Bash, Shell::Fish, Shell::Zsh].contains(&shell);
            assert!(script.contains("client-server") || !knows_words, "{shell}");
        }
    }

    #[test]
    fn the_manual_has_every_setting_and_what_it_means() {
        let mut page = Vec::new();
        clap_mangen::Man::new(Flags::command(&Registry::default())).render(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap().replace('\\', "");
        for setting in Settings::table() {
            assert!(page.contains(&format!("--{}", setting.facts.name)), "{}", setting.facts.name);
        }
        assert!(
            page.contains("Probability that a message is lost") && page.contains(".SH SUBCOMMANDS"),
            "{page}"
        );
    }
}
