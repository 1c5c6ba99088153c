// Mocha's usual output; the totals and the names of failed tests as JSON in the file that ENGRAM_MOCHA_REPORT names.
'use strict';
const { writeFileSync } = require('node:fs');
const Mocha = require('mocha');

module.exports = class Reporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      const file = process.env.ENGRAM_MOCHA_REPORT;
      const names = this.failures.map((test) => test.fullTitle());
      if (file) writeFileSync(file, JSON.stringify({ passed: passes, failed: failures, skipped: pending, names }));
    });
  }
};
