/** Everything that can be said about the sources without running them: one line per step, exit code 1 when one failed. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Step {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
}

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = (name: string, ...args: readonly string[]): Omit<Step, 'name'> => ({ command: join(root, 'node_modules/.bin', name), args })
const script = (name: string, ...args: readonly string[]): Omit<Step, 'name'> => ({
  command: process.execPath,
  args: ['--conditions=source', join(root, 'scripts', name), ...args],
})

/** Prose, generated pages and what other programs wrote keep their own form. */
const formatted = ['.', '!**/*.md', '!**/fixtures/**', '!pnpm-lock.yaml']

const steps: readonly Step[] = [
  { name: 'layers', ...script('check-layers.ts') },
  { name: 'manifests', ...script('check-manifests.ts') },
  { name: 'format', ...bin('oxfmt', '--check', ...formatted) },
  // Before the linter, which takes the types of other packages from what this makes.
  { name: 'types', ...bin('tsc', '-b') },
  { name: 'lint', ...bin('oxlint', '--type-aware') },
  { name: 'types of tests and scripts', ...bin('tsc', '-p', 'scripts/tsconfig.json') },
  { name: 'generated references', ...script('generate-reference.ts', '--check') },
  { name: 'published packages (publint, attw)', ...script('check-packages.ts') },
]

const wanted = process.argv.slice(2)
let failed = 0
for (const step of steps) {
  if (wanted.length > 0 && !wanted.some((name) => step.name.includes(name))) continue
  const startedAt = performance.now()
  const { code, output } = await run(step)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${step.name} (${seconds} s)`)
  if (code === 0) continue
  failed += 1
  console.log(output)
}
process.exitCode = failed === 0 ? 0 : 1

function run(step: Step): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    const child = spawn(step.command, step.args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.once('error', (error) => resolve({ code: 1, output: error.message }))
    child.once('close', (code) => resolve({ code: code ?? 1, output }))
  })
}
