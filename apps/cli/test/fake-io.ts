import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommandIo } from '../src/index.ts'

/** A `CommandIo` whose output can be read, in a directory of its own. */
export interface FakeIo extends CommandIo, Disposable {
  readonly out: () => string
  readonly err: () => string
}

/** Makes one; everything about it can be replaced. */
export function createFakeIo(parts: Partial<CommandIo> = {}): FakeIo {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'waltz-cli-')))
  let out = ''
  let err = ''
  return {
    env: {},
    cwd: folder,
    home: join(folder, 'no-home'),
    hostname: 'db1',
    stdout: (text) => void (out += text),
    stderr: (text) => void (err += text),
    terminal: { interactive: false, columns: 80 },
    signal: new AbortController().signal,
    now: () => new Date(2026, 2, 1, 2, 10, 44, 123),
    ...parts,
    out: () => out,
    err: () => err,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
