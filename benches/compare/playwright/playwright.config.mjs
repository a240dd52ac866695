// The settings of tests/playwright, with the specs of this folder, in the order they are written.
import settings from '../../../tests/playwright/playwright.config.mjs';

export default { ...settings, testDir: 'specs', fullyParallel: false };
