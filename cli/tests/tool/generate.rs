//! What is made from the command line's own description, in the programs that it is made for.

use crate::support::{Place, is_installed};
use std::process::{Command, Output};

const COMMANDS: [&str; 10] =
    ["serve", "connect", "exchange", "ls", "clean", "proxy", "tap", "replay", "doctor", "completions"];

fn made(place: &Place, arguments: &[&str], file: &str) -> String {
    let output = place.run(arguments);
    assert!(output.status.success());
    place.file(file, &String::from_utf8(output.stdout).unwrap())
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What a shell completes, one a line.
fn completed(shell: &str, script: &str, arguments: &[&str]) -> Vec<String> {
    let output = Command::new(shell).args(["-c", script]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| line.split_whitespace().next().unwrap_or_default().to_owned()).collect()
}

fn check(completed: &[String], expected: &[&str]) {
    for word in expected {
        assert!(completed.iter().any(|line| line == word), "{word} in {completed:?}");
    }
}

#[test]
fn bash_completes() {
    if !is_installed("bash") {
        return;
    }
    let place = Place::new();
    let file = made(&place, &["completions", "bash"], "moorline.bash");
    // What readline does: it calls the function that `complete` has named, with the words and the place of the cursor.
    let script = "source \"$0\"; shopt -s extglob; function=$(complete -p moorline | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \
                  COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMP_LINE=\"$*\"; COMP_POINT=${#COMP_LINE}; \
                  $function moorline \"${@: -1}\" \"${@: -2:1}\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
    check(&completed("bash", script, &[&file, "moorline", ""]), &COMMANDS);
    check(&completed("bash", script, &[&file, "moorline", "se"]), &["serve"]);
    check(&completed("bash", script, &[&file, "moorline", "proxy", "--"]), &["--seed", "--tap", "--json"]);
    check(&completed("bash", script, &[&file, "moorline", "serve", "--mode", ""]), &["echo", "sink"]);
    check(&completed("bash", script, &[&file, "moorline", "tap", "show", "--"]), &["--bytes"]);
    assert!(!completed("bash", script, &[&file, "moorline", "se"]).contains(&"ls".to_owned()));
}

#[test]
fn zsh_completes() {
    if !is_installed("zsh") {
        return;
    }
    let place = Place::new();
    made(&place, &["completions", "zsh"], "_moorline");
    // Only a terminal completes: zsh has one of its own for that, in which Tab is typed and the answers are read until they are there.
    let script = "zmodload zsh/zpty; export place=$0; zpty z zsh -f -i; zpty -w z 'PS1=; unsetopt zle_bracketed_paste; LISTMAX=10000'; \
                  zpty -w z 'fpath=($place $fpath); autoload -Uz compinit; compinit -u -d $place/zcompdump; stty columns 200 rows 100'; \
                  zpty -w z 'zstyle \":completion:*\" list-prompt \"\"; zstyle \":completion:*\" verbose no; print READY=$((40+2))'; \
                  zpty -r -m z ignored '*READY=42*'; zpty -w -n z \"$1\"$'\\t'$'\\t'; zpty -r -m z answer \"*$2*\" && print -r -- \"$answer\"; \
                  zpty -d z";
    for (typed, expected) in
        [("moorline ", "replay"), ("moorline proxy --", "--backlog-full"), ("moorline serve --mode ", "sink")]
    {
        let output = Command::new("timeout")
            .args(["60", "zsh", "-f", "-c", script, place.directory().to_str().unwrap(), typed, expected])
            .output()
            .unwrap();
        let text = said(&output);
        assert!(output.status.success() && text.contains(expected), "{typed}: {text}");
        assert!(!text.contains("command not found"), "{text}");
    }
}

#[test]
fn fish_completes() {
    if !is_installed("fish") {
        return;
    }
    let place = Place::new();
    let file = made(&place, &["completions", "fish"], "moorline.fish");
    // fish's `-c` has its arguments in argv. It keeps its own files below HOME.
    let complete = |line: &str| {
        let output = place
            .any_command("fish")
            .args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]", &file, line])
            .env("HOME", place.directory())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    check(&complete("moorline "), &COMMANDS);
    check(&complete("moorline proxy --"), &["--seed", "--tap", "--json"]);
    check(&complete("moorline serve --mode "), &["echo", "sink"]);
    check(&complete("moorline tap show --"), &["--bytes"]);
    assert_eq!(complete("moorline se"), ["serve"]);
}

#[test]
fn the_manual_has_what_the_help_of_every_command_has() {
    let place = Place::new();
    let manual = made(&place, &["man"], "moorline.1");
    let text = std::fs::read_to_string(&manual).unwrap();
    for command in COMMANDS.iter().copied().chain(["tap show"]) {
        assert!(text.contains(&format!("MOORLINE {}", command.to_uppercase())), "{command}");
        // There is no page of that name.
        assert!(!text.contains(&format!("moorline\\-{command}(1)")), "{command}");
    }
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = words(&text.replace("\\*(Aq", "'").replace('\\', ""));
    for command in ["serve", "connect", "exchange", "ls", "clean", "proxy", "tap", "replay", "doctor"] {
        let help = String::from_utf8(place.run(&[command, "--help"]).stdout).unwrap();
        // What comes after the options, the last of which this is.
        let (_, after) = help.rsplit_once("Print version\n").unwrap();
        // Where options have headings of their own, those come last.
        let after = after.trim().rsplit("\n\n").next().unwrap();
        assert!(text.contains(&words(after)), "{command}: {after}");
    }
    if is_installed("groff") {
        // Each warning there is, of which groff prints none by itself.
        let output = Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z", &manual]).output().unwrap();
        assert_eq!((said(&output).as_str(), output.status.code()), ("", Some(0)));
    }
    if is_installed("mandoc") {
        // Not its warnings, which are of empty lines that the generator makes twice.
        let output = Command::new("mandoc").args(["-T", "lint", "-W", "error", &manual]).output().unwrap();
        assert_eq!((said(&output).as_str(), output.status.code()), ("", Some(0)));
    }
    if is_installed("man") {
        let output = Command::new("man").args(["-l", &manual]).env("MANWIDTH", "100").output().unwrap();
        let shown = said(&output);
        assert!(output.status.success() && shown.contains("--no-descriptors-at"), "{shown}");
    }
}
