import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'waltz-bin-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

async function start(argv: readonly string[], options: { readonly hook?: string; readonly readOutput?: boolean } = {}): Promise<Ended> {
  const hook = join(folder, `${String(Math.abs(hashOf(options.hook ?? '')))}.mjs`)
  writeFileSync(hook, options.hook ?? '')
  const child = spawn(process.execPath, ['--conditions=source', '--import', pathToFileURL(hook).href, bin, ...argv], {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  if (options.readOutput === false) child.stdout.destroy()
  else child.stdout.on('data', (chunk: Buffer) => void (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => void (err += chunk.toString()))
  const code = await new Promise<number | null>((done) => void child.on('close', done))
  return { code, out, err }
}

const hashOf = (text: string): number => [...text].reduce((hash, char) => (hash * 31 + (char.codePointAt(0) ?? 0)) | 0, 7)

/** Makes the module with this name fail, or replaces it. */
const replacing = (name: string, source: string): string => `
import { registerHooks } from 'node:module'
registerHooks({ load: (url, context, next) => url.includes(${JSON.stringify(name)}) ? { format: 'module', shortCircuit: true, source: ${JSON.stringify(source)} } : next(url, context) })
`

describe('the executable', () => {
  it('ends with the exit code of the run', async () => {
    expect(await start(['--version'])).toEqual({ code: 0, out: 'waltz version devel devel\n', err: '' })
    expect((await start(['frobnicate'])).code).toBe(2)
    expect((await start(['wal-fetch'])).code).toBe(200)
  })

  it('does not mind that nobody reads its output', async () => {
    const { code, err } = await start(['flags'], { readOutput: false })
    expect([code, err]).toEqual([0, ''])
  })

  const broken = {
    'cannot load itself': replacing('/src/run.ts', 'throw new Error("torn file")'),
    'meets a syntax that this Node does not know': replacing('/src/run.ts', 'this is not JavaScript'),
    'throws where nobody catches': replacing(
      '/src/run.ts',
      'export function run() { setTimeout(() => { throw new Error("late") }); return new Promise(() => undefined) }',
    ),
    'rejects where nobody catches': replacing(
      '/src/run.ts',
      'export function run() { Promise.reject(new Error("lost")); return new Promise(() => setInterval(() => 0, 1000)) }',
    ),
    'waits for nothing': replacing('/src/run.ts', 'export function run() { return new Promise(() => undefined) }'),
    'has no errors package': replacing('/packages/errors/src/index.ts', 'throw new Error("not installed")'),
  }
  it.each(Object.entries(broken))('that %s ends with 70, and never ends a recovery early', async (_what, hook) => {
    const plain = await start(['backup-list'], { hook })
    const fetching = await start(['wal-fetch', 'a', 'b'], { hook })
    expect([plain.code, fetching.code, plain.out]).toEqual([70, 200, ''])
    expect(plain.err).toMatch(/^waltz: /m)
  })

  it('asks the work to end at the first signal and ends itself at the second', async () => {
    const hook = replacing(
      '/src/run.ts',
      `export async function run(argv, io) {
         const stopped = new Promise((done) => io.signal.addEventListener('abort', () => done()))
         const timer = setInterval(() => 0, 1000)
         process.kill(process.pid, 'SIGTERM')
         await stopped
         io.stdout(io.signal.reason.message)
         if (argv[0] === 'orderly') { clearInterval(timer); return 26 }
         process.kill(process.pid, 'SIGINT')
         await new Promise(() => undefined)
       }`,
    )
    expect(await start(['orderly'], { hook })).toEqual({ code: 26, out: 'the process got SIGTERM', err: '' })
    expect((await start(['stubborn'], { hook })).code).toBe(26)
    expect((await start(['stubborn', 'wal-fetch'], { hook })).code).toBe(200)
  })
})
