/**
 * Packs every package as it would be published and asks publint and attw about the tarballs. Needs `tsc -b` to have run.
 * Prints what they complain about; exit code 1 when there is something.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PNPM = 'pnpm@12.21.0'
const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'waltz-pack-'))
try {
  const members = ['packages', 'apps'].flatMap((group) => readdirSync(join(root, group)).map((name) => `${group}/${name}`))
  const packages = members.filter((member) => existsSync(join(root, member, 'package.json')))
  await inPairs(packages, async (member) =>
    complain(member, await run('npx', ['-y', PNPM, 'pack', '--pack-destination', folder], join(root, member))),
  )
  const tarballs = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
  if (tarballs.length !== packages.length) complain('pack', `${packages.length} packages made ${tarballs.length} tarballs`)
  const bin = (name: string): string => join(root, 'node_modules/.bin', name)
  await inPairs(tarballs, async (tarball) => {
    complain(`publint ${tarball}`, await run(bin('publint'), ['run', join(folder, tarball), '--strict'], root))
    complain(`attw ${tarball}`, await run(bin('attw'), [join(folder, tarball), '--profile', 'esm-only', '--no-emoji'], root))
  })
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function complain(what: string, output: string | undefined): void {
  if (output === undefined) return
  console.log(`${what}:\n${output}`)
  process.exitCode = 1
}

/** The output of a program that failed, undefined when it did not. */
function run(command: string, args: readonly string[], cwd: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, NO_COLOR: '1' }, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code) => resolve(code === 0 ? undefined : output))
  })
}

async function inPairs<Item>(items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  const rest = [...items]
  const worker = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await act(item)
  }
  await Promise.all([worker(), worker()])
}
