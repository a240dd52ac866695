//! Tests of the whole configuration: layers, origins, errors, and the page that documents it.

use super::*;

fn sources(store: &str, user: &str) -> Sources {
    let file = |path: &str, text: &str| Some(SourceFile { path: path.into(), text: text.into() });
    Sources {
        store: file("/s/.eart/config.toml", store),
        user: file("/u/eart/config.toml", user),
        ..Sources::default()
    }
}

fn env(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, text)| (name.into(), text.into())).collect()
}

fn fails(store: &str) -> String {
    Config::resolve(&sources(store, "")).unwrap_err().to_string()
}

#[test]
fn defaults_hold_when_nobody_says_anything() {
    let config = Config::default();
    assert_eq!(config.draft, "default");
    assert_eq!(config.keep.newest, Some(10));
    assert_eq!(config.keep.within, Some(30 * 86_400));
    assert_eq!(config.compression.method(ArtifactType::Video), Method::Zstd(3));
    assert_eq!((config.max_size, config.gc.max_size, config.threads), (None, None, None));
    assert!(config.settings().iter().all(|s| s.origin == Origin::Default));
}

#[test]
fn a_higher_layer_wins_and_says_so() {
    let mut sources = sources(
        "draft = 'store'\nexclude = ['a', 'b']\n[keep]\nnewest = 3\nwithin = 'none'\n",
        "draft = 'user'\ncolor = 'never'\n[keep]\nnewest = 4\n",
    );
    sources.env = env(&[("EART_DRAFT", "env"), ("EART_KEEP_NEWEST", "5"), ("EART_COLOR", "")]);
    sources.flags = vec![Flag { name: "--draft", key: "draft", values: vec!["flag".into()] }];
    let config = Config::resolve(&sources).unwrap();
    assert_eq!(config.draft, "flag");
    assert_eq!(config.keep.newest, Some(5));
    assert_eq!(config.keep.within, None);
    assert_eq!(config.exclude, ["a", "b"]);
    assert_eq!(config.color, Color::Never);
    let from = |key: &str| config.setting(key).unwrap().origin.to_string();
    assert_eq!(from("draft"), "--draft");
    assert_eq!(from("keep.newest"), "EART_KEEP_NEWEST");
    assert_eq!(from("keep.within"), "/s/.eart/config.toml, line 5");
    assert_eq!(from("color"), "/u/eart/config.toml, line 2");
    assert_eq!(from("pager"), "default");
}

#[test]
fn a_type_can_have_its_own_compression() {
    let text = "[compression]\nalgorithm = 'none'\ntypes.build-log = 19\ntypes.video = 'none'\n";
    let compression = Config::resolve(&sources(text, "")).unwrap().compression;
    assert_eq!(compression.method(ArtifactType::BuildLog), Method::Zstd(19));
    assert_eq!(compression.method(ArtifactType::Video), Method::Raw);
    assert_eq!(compression.method(ArtifactType::Coverage), Method::Raw);
}

#[test]
fn the_environment_can_set_lists() {
    let sources = Sources {
        env: env(&[("EART_KEEP_LABEL", "branch=main,tier=1"), ("EART_KEEP_PER", "suite")]),
        ..Sources::default()
    };
    let keep = Config::resolve(&sources).unwrap().keep;
    let labels: Vec<_> = keep.labels.iter().map(Label::to_string).collect();
    assert_eq!(labels, ["branch=main", "tier=1"]);
    assert_eq!(keep.per, ["suite"]);
}

#[test]
fn a_variable_that_is_nearly_ours_is_a_warning() {
    let sources = Sources {
        env: env(&[
            ("EART_KEEP_WITHN", "1d"),
            ("EART_DIRR", "x"),
            ("EART_DIR", "x"),
            ("EART_SOMETHING_ELSE", "x"),
            ("PATH", "x"),
        ]),
        ..Sources::default()
    };
    assert_eq!(
        Config::resolve(&sources).unwrap().warnings(),
        [
            "EART_DIRR is not a variable of eart (did you mean EART_DIR?)",
            "EART_KEEP_WITHN is not a variable of eart (did you mean EART_KEEP_WITHIN?)",
        ]
    );
}

#[test]
fn errors_name_key_place_and_what_is_expected() {
    let place = "in /s/.eart/config.toml, line";
    for (text, message) in [
        (
            "\n[keep]\nnewst = 3",
            format!("Unknown key keep.newst {place} 3 (did you mean keep.newest?)"),
        ),
        ("xyzzy = 1", format!("Unknown key xyzzy {place} 1")),
        ("'keep.per' = []", format!("Unknown key \"keep.per\" {place} 1 (did you mean keep.per?)")),
        (
            "keep.within = '30'",
            format!(
                "Bad value for keep.within {place} 1: got \"30\" (it has no unit), expected an age such as 12h, 30d or 2w, or none"
            ),
        ),
        (
            "compression.level = 20",
            format!(
                "Bad value for compression.level {place} 1: got \"20\", expected a whole number from 1 to 19"
            ),
        ),
        (
            "draft = true",
            format!(
                "Bad value for draft {place} 1: got true or false, expected a name of letters, digits, dot, underscore and dash"
            ),
        ),
        (
            "exclude = [1.5]",
            format!(
                "Bad value for exclude {place} 1: got a list that holds more than text, expected a list of globs"
            ),
        ),
        (
            "keep = 3",
            format!(
                "Bad value for keep {place} 1: got \"3\", expected a table with the keys newest, within, label, per"
            ),
        ),
        (
            "color = 'blue'",
            format!(
                "Bad value for color {place} 1: got \"blue\", expected auto or always or never"
            ),
        ),
    ] {
        assert_eq!(fails(text), message);
    }
    let broken = fails("draft = 'a'\nkeep = [1,\n");
    assert!(broken.starts_with("Could not understand /s/.eart/config.toml, line "), "{broken}");
}

#[test]
fn a_value_that_is_hidden_by_a_flag_is_checked_too() {
    let mut sources = sources("draft = 'a/b'", "");
    sources.flags = vec![Flag { name: "--draft", key: "draft", values: vec!["ok".into()] }];
    let error = Config::resolve(&sources).unwrap_err();
    assert!(error.to_string().contains("got \"a/b\""), "{error}");
    sources.store = None;
    sources.flags = vec![Flag { name: "--draft", key: "draft", values: vec!["-x".into()] }];
    let error = Config::resolve(&sources).unwrap_err();
    assert!(error.to_string().starts_with("Bad value for draft in --draft: got \"-x\""), "{error}");
}

#[test]
fn files_are_found_and_read_with_care() {
    let user = |xdg: &str, home: &str| {
        user_file(|name| match name {
            "XDG_CONFIG_HOME" => Some(xdg.into()),
            "HOME" => Some(home.into()),
            _ => None,
        })
    };
    assert_eq!(user("/x", "/h"), Some("/x/eart/config.toml".into()));
    assert_eq!(user("relative", "/h"), Some("/h/.config/eart/config.toml".into()));
    assert_eq!(user("", ""), None);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    assert_eq!(SourceFile::read(&path).unwrap(), None);
    std::fs::write(&path, b"a = 1\nb = \xff").unwrap();
    let error = SourceFile::read(&path).unwrap_err().to_string();
    assert!(error.ends_with("line 2, column 5: the text is not UTF-8"), "{error}");
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(matches!(SourceFile::read(&path), Err(Error::TooLarge(_))));
}

#[test]
fn a_setting_in_json_has_its_value_and_origin() {
    let mut sources = sources("max-size = '1.5KB'", "");
    sources.env = env(&[("EART_KEEP_LABEL", "a=b")]);
    let config = Config::resolve(&sources).unwrap();
    let json = |key: &str| serde_json::to_string(config.setting(key).unwrap()).unwrap();
    assert_eq!(
        json("max-size"),
        r#"{"key":"max-size","value":1500,"text":"1.5KB","origin":{"kind":"store","path":"/s/.eart/config.toml","line":1}}"#
    );
    assert_eq!(
        json("keep.label"),
        r#"{"key":"keep.label","value":["a=b"],"text":"a=b","origin":{"kind":"env","name":"EART_KEEP_LABEL"}}"#
    );
    assert_eq!(
        json("pager"),
        r#"{"key":"pager","value":null,"text":"","origin":{"kind":"default"}}"#
    );
}

#[test]
fn the_page_documents_every_key_as_it_is() {
    let page = include_str!("../../docs/configuration.md");
    let rows: Vec<String> = KEYS
        .iter()
        .map(|key| {
            let default = match key.default {
                None => "unset".to_owned(),
                Some("") => "empty".to_owned(),
                Some(text) => format!("`{text}`"),
            };
            let (name, env, expected) = (key.name, key.env(), key.expected());
            format!("| `{name}` | `{env}` | {expected} | {default} | {} |", key.help)
        })
        .collect();
    let shown: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(shown, rows, "the table should be:\n{}\n", rows.join("\n"));
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(text in ".*|([a-z.-]{1,12} ?= ?['\"]?[a-z0-9]{0,4}['\"]?\n){0,4}") {
        let file = SourceFile { path: "c".into(), text: text.clone() };
        let _ = Config::resolve(&sources(&text, ""));
        let _ = set(&file, "keep.newest", "3").map(|new| {
            Config::resolve(&sources(&new, "")).map(|c| assert_eq!(c.keep.newest, Some(3)))
        });
        let _ = unset(&file, &text);
    }
}

#[test]
fn the_example_on_the_page_is_valid() {
    let page = include_str!("../../docs/configuration.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = Config::resolve(&sources(example, "")).unwrap();
    assert_eq!(config.keep.newest, Some(20));
}
