//! What files of real tools are taken for, by path and first bytes.

use ArtifactType::*;
use proptest::prelude::*;

use super::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10";
const WEBM: &[u8] = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm";
const MP4: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";
const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03";

/// The start of a zip archive with a first entry of this name.
fn zip_of(entry: &str) -> Vec<u8> {
    let mut head =
        b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\x01\x02\x03\x04\x01\0\0\0\x01\0\0\0".to_vec();
    head.extend_from_slice(&(entry.len() as u16).to_le_bytes());
    head.extend_from_slice(b"\0\0");
    head.extend_from_slice(entry.as_bytes());
    head
}

fn found(path: &str, head: impl AsRef<[u8]>) -> Detected {
    classify(&RelPath::new(path).unwrap(), head.as_ref())
}

fn check(cases: &[(&str, &[u8], ArtifactType, Option<&str>)]) {
    for (path, head, artifact, mime) in cases {
        let expected = Detected { artifact: *artifact, content_type: None };
        let got = found(path, head);
        let shown = String::from_utf8_lossy(head);
        assert_eq!(got.artifact, expected.artifact, "{path}: {shown}");
        assert_eq!(got.content_type, *mime, "{path}: {shown}");
    }
}

const JSON: Option<&str> = Some("application/json");
const XML: Option<&str> = Some("text/xml");
const TEXT: Option<&str> = Some("text/plain");
const HTML: Option<&str> = Some("text/html");

#[test]
fn formats_that_are_json() {
    check(&[
        ("r.json", br#"{"config":{"configFile":"p.ts","rootDir":"/w","forbidOnly":false"#, TestResults, JSON),
        ("r", br#"{"numFailedTestSuites":0,"numFailedTests":1"#, TestResults, JSON),
        ("m.json", br#"{"stats": {"suites": 1, "tests": 2, "passes": 2"#, TestResults, JSON),
        ("mochawesome.json", br#"{"stats":{"suites":1,"tests":1,"pending":0,"passPercent":100}"#, TestResults, JSON),
        ("ctrf.json", br#"{"results":{"tool":{"name":"jest"},"summary":{"tests":1"#, TestResults, JSON),
        ("ctrf2.json", br#"{"reportFormat": "CTRF", "specVersion":"0.0.0"#, TestResults, JSON),
        ("test-results/.last-run.json", br#"{"status":"passed","failedTests":[]}"#, TestResults, JSON),
        ("a/allure-results/1-result.json", br#"{"uuid":"1","historyId":"2","testCaseId":"3"#, TestResults, JSON),
        ("cucumber.json", br#"[{"description":"","keyword":"Feature","name":"x"#, TestResults, JSON),
        ("go.json", b"{\"Time\":\"t\",\"Action\":\"run\",\"Package\":\"p\"}\n", TestResults, JSON),
        ("coverage-final.json", br#"{"/w/a.js": {"path":"/w/a.js","statementMap":{"0":"#, Coverage, JSON),
        ("summary.json", br#"{"total":{"lines":{"total":10,"covered":9,"skipped":0,"pct":90}"#, Coverage, JSON),
        ("py.json", br#"{"meta":{"format":3,"version":"7.4","branch_coverage":true"#, Coverage, JSON),
        ("v8.json", br#"{"result":[{"scriptId":"1","url":"u","functions":[{"functionName":"","ranges":[],"isBlockCoverage":true"#, Coverage, JSON),
        ("s.json", br#"{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0"#, SecurityFindings, JSON),
        ("s2.json", br#"{"version":"2.1.0","runs":[{"tool":{"driver":{"#, SecurityFindings, JSON),
        ("trivy.json", br#"{"SchemaVersion":2,"CreatedAt":"t","ArtifactName":"alpine"#, SecurityFindings, JSON),
        ("grype.json", br#"{"matches":[{"vulnerability":{"id":"CVE-1"#, SecurityFindings, JSON),
        ("gitleaks.json", br#"[{"RuleID":"aws","Description":"x"#, SecurityFindings, JSON),
        ("zap.json", br#"{"@programName":"ZAP","@version":"2"#, SecurityFindings, JSON),
        ("audit.json", br#"{"auditReportVersion":2,"vulnerabilities":{"#, SecurityFindings, JSON),
        ("lh.json", br#"{"lighthouseVersion":"12.0.0","requestedUrl":"#, PerformanceMetrics, JSON),
        ("k6.json", br#"{"metrics":{"http_req_duration":{"avg":1"#, PerformanceMetrics, JSON),
        ("k6.jsonl", br#"{"metric":"http_reqs","type":"Metric","data":{"#, PerformanceMetrics, Some("application/x-ndjson")),
        ("estimates.json", br#"{"mean":{"confidence_interval":{"#, PerformanceMetrics, JSON),
        ("statistics.json", br#"{"Total":{"transaction":"Total","sampleCount":1"#, PerformanceMetrics, JSON),
        ("eslint.json", br#"[{"filePath":"/w/a.js","messages":[]"#, StaticAnalysis, JSON),
        ("stylelint.json", br#"[{"source":"a.css","invalidOptionWarnings":[]"#, StaticAnalysis, JSON),
        ("api.json", br#"{"openapi":"3.0.3","info":{"#, ApiDocs, JSON),
        ("sw.json", br#"{ "swagger" : "2.0" "#, ApiDocs, JSON),
        ("schema.json", br#"{"data":{"__schema":{"#, ApiDocs, JSON),
        ("net.json", br#"{"log":{"version":"1.2","creator":{"name":"Playwright"#, Trace, JSON),
        ("cpu.json", br#"{"nodes":[{"id":1,"callFrame":{"#, Trace, JSON),
        ("chrome.json", br#"{"traceEvents":[{"#, Trace, JSON),
    ]);
}

#[test]
fn json_that_only_looks_like_one_is_custom() {
    check(&[
        ("package.json", br#"{"name":"x","version":"1","type":"module","dependencies":{"openapi":"3.1","swagger":"2.0","pct":"1"}}"#, Custom, JSON),
        ("package.json", br#"{"jest":{"globalSetup":"./a"},"openapi":true}"#, Custom, JSON),
        ("a.json", br#"["numFailedTests","openapi"]"#, Custom, JSON),
        ("a.json", br#"{"a":"\"numFailedTests\":1","messages":[]}"#, Custom, JSON),
        ("notes.txt", b"[see below] \"numFailedTests\"", Custom, TEXT),
    ]);
}

#[test]
fn formats_that_are_xml() {
    check(&[
        ("a.xml", b"<?xml version=\"1.0\"?>\n<!-- by us -->\n<testsuites name=\"x\">", TestResults, XML),
        ("junit", b"\xef\xbb\xbf<testsuite tests=\"1\">", TestResults, XML),
        ("playwright-report/junit-out.xml", b"<testsuites/>", TestResults, XML),
        ("a.trx", b"<?xml version=\"1.0\"?><TestRun id=\"1\">", TestResults, XML),
        ("a.xml", b"<?xml version='1.0'?><!DOCTYPE coverage SYSTEM 'http://x/coverage-04.dtd'><coverage line-rate='1'>", Coverage, XML),
        ("a.xml", b"<coverage generated=\"1\" clover=\"4\">", Coverage, XML),
        ("a.xml", b"<!DOCTYPE report PUBLIC \"-//JACOCO//DTD Report 1.1//EN\" \"report.dtd\"><report name=\"a\">", Coverage, XML),
        ("a.xml", b"<report><other/></report>", Custom, XML),
        ("a.xml", b"<OWASPZAPReport version=\"2\">", SecurityFindings, XML),
        ("r.jtl", b"<?xml version=\"1.0\"?><testResults version=\"1.2\">", PerformanceMetrics, XML),
        ("a.xml", b"<checkstyle version=\"8\">", StaticAnalysis, XML),
        ("a.xml", b"<pmd xmlns=\"x\">", StaticAnalysis, XML),
        ("a.xml", b"<BugCollection>", StaticAnalysis, XML),
        ("a.xml", b"<project><dependencies/></project>", Custom, XML),
        ("a.xml", b"<!DOCTYPE x [<!ENTITY a \">\">]><testsuite>", TestResults, XML),
        ("chart.svg", b"<svg xmlns=\"x\">", Custom, Some("image/svg+xml")),
    ]);
}

#[test]
fn what_is_in_utf_16_is_told_as_if_it_were_not() {
    let wide = |text: &str, order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(order).collect()
    };
    let trx = "<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n<TestRun id=\"ä\">";
    let jest = "{\"numFailedTestSuites\":0";
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        check(&[
            ("a.trx", &wide(trx, order), TestResults, XML),
            ("results", &wide(trx, order), TestResults, XML),
            ("r.json", &wide(jest, order), TestResults, JSON),
            ("run.log", &wide("failed\n", order), BuildLog, TEXT),
            ("a.bin", &wide("a\0b", order), Custom, Some("application/octet-stream")),
        ]);
    }
    // Cut within a character, as heads are; and UTF-32, which begins likewise.
    check(&[
        ("results", &[&wide(trx, u16::to_le_bytes)[..], b"x"].concat(), TestResults, XML),
        ("a.xml", b"\xff\xfe\0\0<\0\0\0", Custom, None),
    ]);
}

#[test]
fn formats_that_are_lines() {
    check(&[
        ("out.tap", b"TAP version 13\n1..2\nok 1", TestResults, TEXT),
        ("out", b"1..2\r\nnot ok 1 - x\r\n", TestResults, TEXT),
        ("shopping", b"1..2\nmilk", Custom, TEXT),
        ("lcov.info", b"TN:\nSF:src/a.js\n", Coverage, TEXT),
        ("x", b"SF:src/a.js\nDA:1,1\n", Coverage, TEXT),
        ("c.out", b"mode: atomic\nexample.com/a.go:1.2,3.4 1 1\n", Coverage, TEXT),
        ("r.jtl", b"timeStamp,elapsed,label,responseCode\n", PerformanceMetrics, TEXT),
        ("api.yaml", b"# ours\nopenapi: 3.1.0\ninfo:\n", ApiDocs, Some("application/yaml")),
        ("deploy.yaml", b"apiVersion: v1\nkind: Pod\n", Custom, Some("application/yaml")),
        ("schema.graphql", b"type Query { a: Int }", ApiDocs, TEXT),
        ("run.log", b"\x1b[31mfailed\x1b[0m\n", BuildLog, TEXT),
        ("run.log.1", b"failed\n", BuildLog, TEXT),
        ("latin1.log", b"gr\xfcn\n", BuildLog, TEXT),
        ("pod-logs/web/0", b"GET /\n", BuildLog, TEXT),
        ("stdout", b"", BuildLog, None),
        ("README", b"Read me", Custom, TEXT),
        ("error-context.md", b"# Page\n", Custom, Some("text/markdown")),
    ]);
}

#[test]
fn pictures_films_and_traces() {
    let trace = zip_of("trace.trace");
    let zip = zip_of("a.txt");
    let blob = zip_of("report.jsonl");
    check(&[
        ("a.png", PNG, Screenshot, Some("image/png")),
        ("no-extension", PNG, Screenshot, Some("image/png")),
        ("lies.jpg", PNG, Screenshot, Some("image/png")),
        ("error.png", b"<!doctype html><title>404", HtmlReport, HTML),
        ("error.png", b"404 not found", Custom, TEXT),
        ("a.webm", WEBM, Video, Some("video/webm")),
        ("a.mp4", MP4, Video, Some("video/mp4")),
        ("empty.d.ts", b"", Custom, None),
        ("a.ts", b"export const a = 1;", Custom, TEXT),
        ("test-results/a/trace.zip", &zip, Trace, Some("application/zip")),
        ("x/first-trace.zip", &zip, Trace, Some("application/zip")),
        ("saved.zip", &trace, Trace, Some("application/zip")),
        ("playwright-report/data/0a1b.zip", &zip, Trace, Some("application/zip")),
        ("not-playwright-report/data/0a1b.zip", &zip, Custom, Some("application/zip")),
        ("app.jar", &zip, Custom, Some("application/java-archive")),
        ("blob-report/report.zip", &blob, TestResults, Some("application/zip")),
        ("a.har", br#"{"log":{"version":"1.2"#, Trace, JSON),
        ("main.cpuprofile", b"{\"samples\":[", Trace, JSON),
        ("logs.tar.gz", GZIP, Custom, Some("application/gzip")),
        ("empty.png", b"", Screenshot, Some("image/png")),
        ("core", b"\x7f\0\x01\x02", Custom, None),
    ]);
}

#[test]
fn what_lies_in_a_report_is_a_part_of_it() {
    let js = Some("text/javascript");
    let html = b"<!DOCTYPE HTML><html>";
    check(&[
        ("playwright-report/index.html", html, HtmlReport, HTML),
        ("playwright-report/trace/sw.bundle.js", b"var a", HtmlReport, js),
        ("playwright-report/data/0a.png", PNG, Screenshot, Some("image/png")),
        ("playwright-report/data/0a.webm", WEBM, Video, Some("video/webm")),
        ("playwright-report/data/0a.md", b"# Page", HtmlReport, Some("text/markdown")),
        ("playwright-report/trace/icon.svg", b"<svg>", HtmlReport, Some("image/svg+xml")),
        (
            "ci/allure-report/favicon.ico",
            b"\0\0\x01\0\x01\0",
            HtmlReport,
            Some("image/vnd.microsoft.icon"),
        ),
        ("coverage/lcov-report/index.html", html, Coverage, HTML),
        ("coverage/lcov-report/sort-arrow-sprite.png", PNG, Coverage, Some("image/png")),
        ("coverage/lcov-report/prettify.js", b"var a", Coverage, js),
        ("html-report/coverage/index.html", html, Coverage, HTML),
        ("target/criterion/a/report/index.html", html, PerformanceMetrics, HTML),
        ("javadoc/index.html", html, ApiDocs, HTML),
        ("summary.html", html, HtmlReport, HTML),
        ("allure-results/a-attachment.txt", b"x", Custom, TEXT),
        ("allure-results/a-attachment.json", b"{}", Custom, JSON),
        ("allure-results/a-attachment.png", PNG, Screenshot, Some("image/png")),
    ]);
}

#[test]
fn no_start_of_a_known_head_makes_it_panic() {
    let heads: [&[u8]; 6] = [
        PNG,
        b"\xef\xbb\xbf<?xml?><!DOCTYPE a [<!ENTITY b \"c\">]><!-- d --><testsuites a=\"b\"/>",
        br#"[{"a\\\"b" : {"c":[1,{"$schema":"sarif"}]}},"d"]"#,
        b"TN:\nSF:\n",
        b"1..2\r\nok 1",
        b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\x01\x02\x03\x04\x01\0\0\0\x01\0\0\0\xff\xff\0\0a.trace",
    ];
    for head in heads {
        for end in 0..=head.len() {
            let _ = found("a.yaml", &head[..end]);
        }
    }
}

proptest! {
    #[test]
    fn no_path_and_no_head_makes_it_panic(
        path in prop::collection::vec(any::<u8>(), 1..40),
        start in prop::sample::select(vec![&b""[..], b"{", b"[{\"", b"<", b"<!", b"PK\x03\x04", b"\xef\xbb\xbf<?"]),
        rest in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"{}[]<>\"\\:/!-? \n".to_vec())], 0..200),
    ) {
        if let Ok(path) = RelPath::new(path) {
            let _ = classify(&path, &[start, &rest].concat());
        }
    }
}
