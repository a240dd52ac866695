//! `eart completions`, and `eart help`

use insta::assert_snapshot;

use crate::env::TestEnv;

#[test]
fn every_shell_gets_a_script() {
    let env = TestEnv::bare();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = env.eart(["completions", shell]).done();
        assert!(script.contains("max-size") && script.contains("eart"), "{shell}");
    }
    assert_eq!(env.eart(["completions", "csh"]).code(), 2);
}

#[test]
fn help_is_help_however_one_asks() {
    let env = TestEnv::bare();
    let help = env.eart(["-h"]).done();
    assert_eq!(env.eart(["help"]).done(), env.eart(["--help"]).done());
    assert_eq!(env.eart(["help", "add"]).done(), env.eart(["add", "--help"]).done());
    let none = env.eart([""; 0]);
    assert_eq!((none.code(), none.stderr.as_str()), (2, help.as_str()));
    assert!(help.contains("\nStage and commit:\n  add "), "{help}");
    assert!(!help.contains(" man "), "{help}");
}

#[test]
fn wrong_usage_is_told_from_failure() {
    let env = TestEnv::new();
    let output = env.eart(["comit"]);
    assert!(output.code() == 2 && output.stderr.contains("'commit'"), "{output}");
    assert_snapshot!(env.eart(["status", "--jsno"]), @r"
    --- stderr
    error: unexpected argument '--jsno' found

      tip: a similar argument exists: '--json'

    Usage: eart status --json

    For more information, try '--help'.
    --- exit 2
    ");
    assert_snapshot!(env.eart(["add"]), @r"
    --- stderr
    error: the following required arguments were not provided:
      <PATH>...

    Usage: eart add <PATH>...

    For more information, try '--help'.
    --- exit 2
    ");
    assert_snapshot!(env.eart(["add", "a", "--max-size", "5 cows"]), @r#"
    --- stderr
    error: invalid value '5 cows' for '--max-size <SIZE>': Not a size: "5 cows" (its unit is none of B, KB, KiB, MB, MiB, GB, GiB, TB, TiB)

    For more information, try '--help'.
    --- exit 2
    "#);
}
