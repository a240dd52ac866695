// Exits 0 when the run in OUT came out as expected.mjs says and left every kind of file behind.
// usage: node check-run.mjs OUT
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { counts } from './expected.mjs';

const out = process.argv[2];
const problems = [];
for (const path of ['playwright-report/index.html', 'test-results', 'results.json', 'junit.xml'])
  if (!existsSync(join(out, path))) problems.push(`${path} is missing`);

if (!problems.length) {
  const report = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'));
  for (const error of report.errors) problems.push(`The run itself failed: ${error.message}`);
  for (const [outcome, wanted] of Object.entries(counts))
    if (report.stats[outcome] !== wanted) problems.push(`${wanted} tests should be ${outcome}, ${report.stats[outcome]} are`);
  const files = readdirSync(join(out, 'test-results'), { recursive: true });
  for (const ending of ['trace.zip', '.webm', '.png'])
    if (!files.some((file) => file.endsWith(ending))) problems.push(`No ${ending} file in test-results`);
}
for (const problem of problems) console.error(`check-run: ${problem}`);
if (!problems.length) console.log(`The run is as expected: ${JSON.stringify(counts)}`);
process.exitCode = problems.length ? 1 : 0;
