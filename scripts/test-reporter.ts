import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

/** What a run of the tests came to; written as JSON for `run-tests.ts`. */
export interface TestTally {
  readonly passed: number
  readonly failed: number
  /** Names of the tests that were not run, with the reason where there is one. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[]
  /** Whether the run came to its own end. */
  readonly complete: boolean
}

/** Counts tests, and files that fail before any test of theirs runs, into the file that TEST_TALLY_FILE names. */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[], reason: string): void {
    let passed = 0
    let failed = errors.length
    const skipped: { name: string; reason: string }[] = []
    for (const module of modules) {
      const { relativeModuleId: file } = module
      let failedHere = 0
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (result.state === 'passed') passed += 1
        else if (result.state === 'skipped') skipped.push({ name: `${file} > ${test.fullName}`, reason: result.note ?? '' })
        else failedHere += 1
      }
      // A file that cannot be loaded, or whose hooks fail, has no failed test of its own.
      if (failedHere === 0 && module.state() === 'failed') failedHere = 1
      failed += failedHere
    }
    const tally: TestTally = { passed, failed, skipped, complete: reason !== 'interrupted' }
    const target = process.env['TEST_TALLY_FILE']
    if (target !== undefined) writeFileSync(target, JSON.stringify(tally))
  }
}
