//! `eart draft`

use insta::assert_snapshot;

use crate::env::TestEnv;

#[test]
fn open_drafts_are_listed_and_dropped() {
    let env = TestEnv::new();
    env.write("a", "a");
    env.write("b", "bb");
    assert_snapshot!(env.eart(["draft", "list"]), @"");
    env.eart(["add", "a", "--draft", "shard-1"]).done();
    env.eart(["add", "a", "b", "--draft", "two"]).done();
    assert_snapshot!(env.eart(["draft", "list"]), @r"
    shard-1  2026-01-01 00:00:02  1 file, 1 B
    two      2026-01-01 00:00:03  2 files, 3 B
    ");
    assert_snapshot!(env.eart(["draft", "list", "--json"]), @r#"
    [
      {
        "name": "shard-1",
        "started": "2026-01-01T00:00:02Z",
        "files": 1,
        "bytes": 1
      },
      {
        "name": "two",
        "started": "2026-01-01T00:00:03Z",
        "files": 2,
        "bytes": 3
      }
    ]
    "#);
    assert_snapshot!(env.eart(["draft", "drop", "two"]), @"Dropped the draft two");
    assert_snapshot!(env.eart(["draft", "drop", "two"]), @r#"
    --- stderr
    error: No draft "two"
    hint: `eart draft list` shows the drafts there are
    --- exit 1
    "#);
    assert_snapshot!(env.eart(["draft", "drop", "../two"]), @r#"
    --- stderr
    error: invalid value '../two' for '<NAME>...': Not a name: "../two" (it may only hold letters, digits, dot, underscore and dash)

    For more information, try '--help'.
    --- exit 2
    "#);
    assert_snapshot!(env.eart(["draft", "list"]), @"shard-1  2026-01-01 00:00:02  1 file, 1 B");
}
