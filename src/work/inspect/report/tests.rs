//! Whole reports pass however they are cut into pieces; broken ones are named with the place.

use proptest::prelude::*;

use super::*;
use crate::path::RelPath;
use crate::work::classify::classify;

const JUNIT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- made by us - and only us -->
<testsuites name='all' tests="2">
  <testsuite name="cart &amp; checkout" time = "1.5">
    <testcase name="größe &#228;&#x1F600;"/>
    <testcase name="b" classname="c.d" ><failure message="1 &lt; 2 > 0"><![CDATA[ <x> ]] ]]]></failure >
    </testcase>
    <system-out>]] fine -- "quoted"</system-out>
    <?php echo "?" ??>
  </testsuite>
</testsuites>
<!---->
"#;

const SARIF: &str = "{\"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\", \"version\": \"2.1.0\",
 \"runs\": [ {\"tool\": {}, \"results\": [] , \"x\": [1, -0.5e+3, 0, 1E9, true, false, null, \"\\u00e9\\n\\\\\\\"é\"] } ]}\n";

const LINES: &str =
    "{\"Action\":\"run\",\"Package\":\"p\"}\n{\"Action\":\"pass\",\"Package\":\"p\"}\r\n\n[]\n";

fn utf16(text: &str, little: bool) -> Vec<u8> {
    let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(bytes).collect()
}

/// What is wrong with a file that comes in pieces of this size; `None` also where nothing is checked.
fn check(path: &str, bytes: &[u8], piece: usize) -> Option<String> {
    let detected = classify(&RelPath::new(path).unwrap(), bytes);
    let mut check = ReportCheck::for_file(&detected, bytes.get(..4096).unwrap_or(bytes))?;
    bytes.chunks(piece).for_each(|piece| check.feed(piece));
    check.finish()
}

fn is_checked(path: &str, bytes: &[u8]) -> bool {
    let detected = classify(&RelPath::new(path).unwrap(), bytes);
    ReportCheck::for_file(&detected, bytes).is_some()
}

/// What is wrong, the same in all pieces.
fn says(path: &str, bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    assert!(is_checked(path, bytes), "{path}: {}", String::from_utf8_lossy(bytes));
    let reason = check(path, bytes, 1 << 20);
    for piece in [1, 2, 3, 64] {
        assert_eq!(check(path, bytes, piece), reason);
    }
    reason.unwrap_or_default()
}

#[test]
fn whole_reports_pass() {
    let latin1 = b"<?xml version='1.0' encoding='ISO-8859-1' ?><testsuites name='\xe4'/>";
    let cases: [(&str, &[u8]); 20] = [
        ("junit.xml", JUNIT.as_bytes()),
        ("junit.xml", &[b"\xef\xbb\xbf", JUNIT.as_bytes()].concat()),
        ("a.trx", &utf16(&JUNIT.replace("UTF-8", "utf-16"), true)),
        ("a.trx", &utf16(JUNIT, false)),
        ("junit.xml", latin1),
        ("junit.xml", b"\n<!-- first --><testsuite/>\n"),
        ("junit.xml", b"<?xml version='1.1'?><testsuite a='&#27;'/>"),
        ("junit.xml", b"<?xml-stylesheet href='a'?><testsuite:a b:c='d'/>"),
        ("cobertura.xml", b"<!DOCTYPE coverage SYSTEM \"it's > \"><coverage>&nbsp;</coverage>"),
        ("r.sarif", SARIF.as_bytes()),
        ("r.sarif", &[b"\xef\xbb\xbf", SARIF.as_bytes()].concat()),
        ("r.sarif", &utf16(SARIF, true)),
        ("go.json", LINES.as_bytes()),
        ("coverage/a.json", b"17"),
        ("coverage/a.json", b" {} \n"),
        ("lcov.info", b"TN:\nSF:a.js\nDA:1,1\nend_of_record\n"),
        ("lcov.info", b"SF:gr\xfcn.js\r\nend_of_record\r\n\n"),
        ("report.html", b"<!doctype html><HTML lang=de><p>x</html>\n"),
        ("report.html", b"<html><p>x</html><template>AA=</template>"),
        ("report.html", b"<html \n>"),
    ];
    for (path, bytes) in cases {
        assert_eq!(says(path, bytes), "", "{path}: {}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_report_cut_short_is_broken_wherever_it_is_cut() {
    let wide = utf16(JUNIT, true);
    let last = |text: &[u8], mark| text.windows(2).rposition(|w| w == mark).unwrap() + 2;
    for (path, whole, needed) in [
        ("junit.xml", JUNIT.as_bytes(), last(JUNIT.as_bytes(), b"s>")),
        ("junit.xml", &wide[..], last(&wide, b">\0") - 40),
        ("r.sarif", SARIF.as_bytes(), last(SARIF.as_bytes(), b"]}")),
        ("lcov.info", b"TN:\nSF:a.js\nDA:1,1\nend_of_record\n", 32),
        ("report.html", b"<html><template>AAAA</template>", 31),
    ] {
        // The first bytes are what it takes to see what it is.
        for end in 26..needed {
            let cut = &whole[..end];
            // A page may end with any tag.
            let passes = path == "report.html" && cut.ends_with(b">");
            assert_eq!(check(path, cut, 50).is_none(), passes, "{path} cut to {end}");
        }
        assert_eq!(check(path, &whole[..whole.len()], 50), None, "{path}");
    }
    assert_eq!(says("junit.xml", ""), "it is empty");
    assert_eq!(says("junit.xml", "\u{feff}"), "it is empty (line 1, byte 3)");
    assert_eq!(says("r.sarif", ""), "it is empty");
    assert_eq!(says("r.sarif", " \n"), "it is empty (line 2, byte 2)");
    assert_eq!(says("r.sarif", &SARIF[..100]), "its JSON ends early (line 2, byte 100)");
    assert_eq!(
        says("junit.xml", &JUNIT[..300]),
        "its XML ends early, within <failure> (line 6, byte 300)"
    );
    assert_eq!(says("a.trx", &wide[..600]), "its XML ends early, within <failure> (line 6)");
    assert_eq!(
        says("junit.xml", "<testsuite>\n\n"),
        "its XML ends early, within <testsuite> (line 3, byte 13)"
    );
    assert_eq!(
        says("lcov.info", "TN:\nSF:a.js\nDA:1,1\n"),
        "its last record ends early (line 4, byte 19)"
    );
    assert_eq!(says("report.html", "<html>\n<p>x"), "its HTML ends early (line 2, byte 11)");
}

/// What Playwright wrote of one run with a test that failed.
const REAL: [(&str, &[u8]); 2] = [
    ("junit.xml", include_bytes!("../../../../tests/data/reports/junit.xml")),
    ("results.json", include_bytes!("../../../../tests/data/reports/results.json")),
];

#[test]
fn real_reports_pass_and_are_broken_wherever_they_are_cut() {
    for (path, whole) in REAL {
        assert_eq!(says(path, whole), "", "{path}");
        let needed = whole.trim_ascii_end().len();
        let detected = classify(&RelPath::new(path).unwrap(), whole);
        for end in 0..needed {
            let mut check = ReportCheck::for_file(&detected, whole).unwrap();
            check.feed(&whole[..end]);
            assert!(check.finish().is_some(), "{path} cut to {end}");
        }
    }
}

#[test]
fn malformed_xml_is_named() {
    let says = |body: &str| {
        let said = says("junit.xml", format!("<testsuite>\n{body}</testsuite>"));
        said.strip_prefix("it has ").unwrap_or(&said).to_owned()
    };
    assert_eq!(says("<a></b>"), "an end tag where that of <a> is due (line 2, byte 17)");
    assert_eq!(says("<a></ab>"), "an end tag where that of <a> is due (line 2, byte 18)");
    assert_eq!(says("<a b=c>"), "a malformed tag <a> (line 2, byte 17)");
    assert_eq!(says("<a b='1'c='2'/>"), "a malformed tag <a> (line 2, byte 20)");
    assert_eq!(says("<a b>"), "a malformed tag <a> (line 2, byte 16)");
    assert_eq!(says("<a / >"), "a malformed tag <a> (line 2, byte 16)");
    assert_eq!(says("<a b='<'/>"), "a < in an attribute (line 2, byte 18)");
    assert_eq!(says("1 < 2"), "a < that begins no tag (line 2, byte 15)");
    assert_eq!(says("R&D"), "an & that begins no reference (line 2, byte 15)");
    assert_eq!(says("?a=1&b=2"), "an & that begins no reference (line 2, byte 18)");
    assert_eq!(says("&nbsp;"), "a reference to an unknown entity (line 2, byte 17)");
    assert_eq!(says("&#27;"), "a reference to no character (line 2, byte 16)");
    assert_eq!(says("&#xD800;"), "a reference to no character (line 2, byte 19)");
    assert_eq!(says("&#x110000;"), "a reference to no character (line 2, byte 21)");
    assert_eq!(says("\x1b[31m"), "a control character (line 2, byte 12)");
    assert_eq!(says("<![CDATA[\x08]]>"), "a control character (line 2, byte 21)");
    assert_eq!(says("<!-- a -- b -->"), "a -- in a comment (line 2, byte 21)");
    assert_eq!(says("<!ELEMENT a>"), "a <! that begins nothing (line 2, byte 14)");
    assert_eq!(
        says("<?xml version='1.0'?>"),
        "an XML declaration that is not at its start (line 2, byte 17)"
    );
    assert_eq!(says("</testsuite>"), "an end tag without a start tag (line 2, byte 25)");
    assert_eq!(says("</testsuite>\nend"), "text outside its root element (line 3, byte 25)");
    assert_eq!(says("</testsuite><testsuite>"), "a second root element (line 2, byte 25)");
    let name = "n\u{1b}x".repeat(60);
    assert!(!says(&format!("<é{name}")).contains('\u{1b}'));
}

#[test]
fn malformed_json_is_named() {
    let says = |body: &str| {
        let said = says("r.sarif", format!("[1,\n{body}]"));
        said.strip_prefix("it has ").unwrap_or(&said).to_owned()
    };
    assert_eq!(says(""), "no value where one is due (line 2, byte 4)");
    assert_eq!(says("1 2"), "no comma where one is due (line 2, byte 6)");
    assert_eq!(says("{\"a\" 1}"), "no colon where one is due (line 2, byte 9)");
    assert_eq!(says("{1:2}"), "no key where one is due (line 2, byte 5)");
    assert_eq!(says("{\"a\":1,}"), "no key where one is due (line 2, byte 11)");
    assert_eq!(says("{]"), "no key where one is due (line 2, byte 5)");
    assert_eq!(says("[}"), "no value where one is due (line 2, byte 5)");
    assert_eq!(says("[1}"), "a bracket that closes nothing (line 2, byte 6)");
    assert_eq!(says("1]"), "a bracket that closes nothing (line 2, byte 6)");
    assert_eq!(says("1] 2"), "something behind its end (line 2, byte 7)");
    assert_eq!(says("nul"), "an unknown word (line 2, byte 7)");
    assert_eq!(says("Nan"), "an unknown word (line 2, byte 6)");
    assert_eq!(says("-NaN"), "a malformed number (line 2, byte 5)");
    assert_eq!(says("01"), "no comma where one is due (line 2, byte 5)");
    assert_eq!(says("1."), "a malformed number (line 2, byte 6)");
    assert_eq!(says("+1"), "no value where one is due (line 2, byte 4)");
    assert_eq!(says("\"\\x\""), "an unknown escape in a string (line 2, byte 6)");
    assert_eq!(says("\"\\u12g4\""), "an unknown escape in a string (line 2, byte 9)");
    assert_eq!(says("\"a\tb\""), "a control character in a string (line 2, byte 6)");
    assert_eq!(says("// c"), "no value where one is due (line 2, byte 4)");
}

#[test]
fn numbers_that_only_python_writes_pass() {
    let detected = Detected {
        artifact: ArtifactType::PerformanceMetrics,
        content_type: Some("application/json"),
    };
    let text = br#"{"mean": NaN, "most": [Infinity, -Infinity, -1]}"#;
    let mut check = ReportCheck::for_file(&detected, text).unwrap();
    check.feed(text);
    assert_eq!(check.finish(), None);
}

#[test]
fn what_is_not_in_its_encoding_is_named() {
    assert_eq!(says("r.sarif", b"[\"a\xffb\"]"), "it is not UTF-8 (line 1, byte 3)");
    assert_eq!(says("r.sarif", b"[\"\xc3"), "its JSON ends early (line 1, byte 2)");
    assert_eq!(says("junit.xml", b"<testsuite a='\xe4'/>"), "it is not UTF-8 (line 1, byte 14)");
    let start = format!("<testsuite>{}\n", " ".repeat(3000));
    let lone = [&utf16(&start, true)[..], b"\x00\xdc", &utf16("x", true)].concat();
    assert_eq!(says("a.trx", &lone), "it is not UTF-16 (line 2)");
    let odd = [&utf16("<testsuite/>\n", true)[..], b"x"].concat();
    assert_eq!(says("a.trx", &odd), "it ends within a character (line 2)");
}

#[test]
fn only_reports_are_checked() {
    for (path, bytes) in [
        ("package.json", &b"{"[..]),
        ("a.xml", b"<project>"),
        ("net.har", b"{"),
        ("chrome.json", b"{\"traceEvents\":["),
        ("playwright-report/data/a.json", b"{"),
        ("allure-results/1-attachment.json", b"{"),
        ("openapi.json", b"{\"openapi\":\"3.1.0\""),
        ("page.html", b"<p>no html element"),
        ("coverage/a.js", b"{"),
        ("cover.out", b"mode: set\n"),
        ("junit.xml", b"<?xml version='1.0' encoding='Shift_JIS'?><testsuite>"),
    ] {
        assert!(!is_checked(path, bytes), "{path}");
    }
    for path in ["allure-results/1-result.json", "surefire-reports/a.xml", "TEST-a.xml"] {
        assert!(is_checked(path, b"{"), "{path}");
    }
}

#[test]
fn what_is_too_deep_or_declares_things_is_given_up_on() {
    assert_eq!(check("r.sarif", "[".repeat(20_000).as_bytes(), 999), None);
    assert_eq!(check("junit.xml", "<testsuite>".repeat(20_000).as_bytes(), 999), None);
    let name = format!("<testsuite><{}", "n".repeat(3 << 20));
    assert_eq!(check("junit.xml", name.as_bytes(), 1 << 16), None);
    let entities = "<!DOCTYPE x [<!ENTITY a \"&a;&a;\">]><testsuite>&a;";
    assert_eq!(check("junit.xml", entities.as_bytes(), 7), None);
}

/// Text with a few bytes replaced, put in, or taken out.
fn edited(whole: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(b"{}[]<>\"'\\:/!-?&;#=,. \n0e+xntu".to_vec())
    ];
    let edit = (any::<prop::sample::Index>(), prop::option::of(byte), 0..2usize);
    prop::collection::vec(edit, 0..4).prop_map(move |edits| {
        let mut bytes = whole.as_bytes().to_vec();
        for (at, new, gone) in edits {
            let at = at.index(bytes.len());
            bytes.splice(at..at + gone, new);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn json_is_judged_as_an_independent_parser_does(bytes in edited(SARIF)) {
        let detected = Detected { artifact: ArtifactType::SecurityFindings, content_type: Some("application/json") };
        let mut check = ReportCheck::for_file(&detected, &bytes).unwrap();
        check.feed(&bytes);
        // It does not look at encodings, and knows no JSON lines.
        let expected = std::str::from_utf8(&bytes).is_ok_and(|text| {
            let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
            let first = values.next().is_some_and(|value| value.is_ok());
            first && values.all(|value| value.is_ok())
        });
        let reason = check.finish();
        let one_line = reason.as_ref().is_some_and(|r| r.starts_with("it has something behind its end"));
        prop_assert!(one_line || reason.is_none() == expected, "{:?}", reason);
    }

    #[test]
    fn no_bytes_make_it_panic(
        start in prop::sample::select(vec![&b""[..], b"<testsuite ", b"<?xml version='1.0' encoding='", b"{\"numFailedTests\":", b"\xff\xfe<\0", b"\xfe\xff\0<"]),
        bytes in prop_oneof![
            edited(JUNIT),
            edited(LINES),
            edited(std::str::from_utf8(REAL[0].1).unwrap()),
            edited(std::str::from_utf8(REAL[1].1).unwrap()),
            prop::collection::vec(any::<u8>(), 0..300),
        ],
        piece in 1..100usize,
    ) {
        let bytes = [start, &bytes].concat();
        for path in ["junit.xml", "coverage-final.json", "a.html", "lcov.info"] {
            prop_assert_eq!(check(path, &bytes, piece), check(path, &bytes, 1 << 20));
        }
    }
}
