/**
 * Runs every test of the workspace (or those that the arguments name, as vitest takes them) and ends with one line, alone and
 * last: `N passed, N failed`, with `, N skipped` behind when tests were skipped. Exit code 0 only when nothing failed.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestTally } from './test-reporter.ts'

/** A run that takes longer hangs. */
const LIMIT_MS = 30 * 60 * 1000

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'waltz-tests-'))
const tallyFile = join(folder, 'tally.json')
try {
  const problem = await runVitest(process.argv.slice(2))
  report(readTally(), problem)
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** What went wrong with the run as a whole, beside failed tests; undefined when nothing did. */
async function runVitest(args: readonly string[]): Promise<string | undefined> {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const reporters = ['--reporter=default', `--reporter=${join(root, 'scripts/test-reporter.ts')}`]
  const colours = process.stdout.isTTY ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' }
  // Many tests start programs from the sources: only the first of them strips the types of a module and compiles it.
  const env = { ...process.env, ...colours, TEST_TALLY_FILE: tallyFile, NODE_COMPILE_CACHE: join(folder, 'compiled') }
  const child = spawn(process.execPath, [vitest, 'run', ...reporters, ...args], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  // Everything goes through this process, so that nothing can appear behind the closing line.
  child.stdout.pipe(process.stdout, { end: false })
  child.stderr.pipe(process.stdout, { end: false })
  const relay = (signal: NodeJS.Signals): void => void child.kill(signal)
  process.on('SIGINT', relay).on('SIGTERM', relay)
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, LIMIT_MS)
  const end = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(`vitest did not start: ${error.message}`))
    child.once('exit', (code, signal) => {
      // Output may still be on its way, but a process left behind must not hold the pipe open for ever.
      setTimeout(() => resolve(describeEnd(code, signal)), 5000).unref()
      child.once('close', () => resolve(describeEnd(code, signal)))
    })
  })
  clearTimeout(timer)
  child.stdout.unpipe(process.stdout)
  child.stderr.unpipe(process.stdout)
  child.stdout.destroy()
  child.stderr.destroy()
  return late ? `the tests did not end within ${LIMIT_MS / 60_000} minutes` : end
}

function describeEnd(code: number | null, signal: NodeJS.Signals | null): string | undefined {
  if (code === 0) return undefined
  return `vitest ended with ${signal ?? `exit ${String(code)}`}`
}

function readTally(): TestTally {
  const nothing = { passed: 0, failed: 0, skipped: [], complete: false }
  return existsSync(tallyFile) ? (JSON.parse(readFileSync(tallyFile, 'utf8')) as TestTally) : nothing
}

function report(tally: TestTally, problem: string | undefined): void {
  let { failed } = tally
  const complaints: string[] = []
  if (problem !== undefined && failed === 0) complaints.push(problem)
  if (!tally.complete && failed === 0) complaints.push('the run did not come to its end')
  if (tally.passed + failed + tally.skipped.length === 0) complaints.push('no tests were found')
  if (complaints.length > 0) failed += 1
  for (const complaint of complaints) console.log(`FAILED: ${complaint}`)
  if (tally.skipped.length > 0) {
    console.log(`\n${'!'.repeat(30)} ${tally.skipped.length} SKIPPED ${'!'.repeat(30)}`)
    for (const { name, reason } of tally.skipped) console.log(`  skipped: ${name}${reason === '' ? '' : ` (${reason})`}`)
    console.log('')
  }
  const skipped = tally.skipped.length === 0 ? '' : `, ${tally.skipped.length} skipped`
  process.exitCode = failed === 0 ? 0 : 1
  process.stdout.write(`${tally.passed} passed, ${failed} failed${skipped}\n`)
}
