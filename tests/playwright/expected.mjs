// What a run of this project comes to. Some tests fail, flake and skip on purpose: a store of test
// runs must cope with all of them, and a run of passes only would not show that it does.

/** Tests by outcome, in the words of Playwright's JSON reporter. */
export const counts = { expected: 8, unexpected: 1, flaky: 1, skipped: 1 };

/** Titles that the HTML report has to list. */
export const titles = {
  passed: 'filters by words',
  failed: 'says who closed a ticket (fails on purpose)',
  flaky: 'counts the open tickets (passes on its second attempt)',
  skipped: 'prints a ticket (skipped)',
};
