import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { run } from '../src/index.ts'
import { createFakeIo, type FakeIo } from './fake-io.ts'

const NAME = '000000010000000000000018'
const segment = zstdDecompressSync(readFileSync(new URL(`fixtures/wal/${NAME}.zst`, import.meta.url)))
const at = (io: FakeIo, ...names: string[]): string => join(io.cwd, ...names)

/** A working directory with an empty repository and pg_wal with one segment. */
function openWorld(env: Record<string, string> = {}): FakeIo {
  const settings: Record<string, string> = { WALTZ_WAL_FETCH_DEADLINE: '0s', ...env }
  const io = createFakeIo({ env: settings })
  settings['WALG_FILE_PREFIX'] ??= at(io, 'repository')
  for (const folder of ['repository', 'pg_wal']) mkdirSync(at(io, folder))
  writeFileSync(at(io, 'pg_wal', NAME), segment)
  return io
}

const objects = (io: FakeIo): string[] => readdirSync(at(io, 'repository', 'wal_005')).sort()

describe('wal-push', () => {
  it('stores a file given by a relative or absolute path, and takes the same bytes again', async () => {
    using io = openWorld()
    expect(await run(['wal-push', `pg_wal/${NAME}`], io)).toBe(0)
    expect(io.err()).toMatch(new RegExp(`INFO: .* FILE PATH: ${NAME}\\.lz4`))
    expect(await run(['wal-push', at(io, 'pg_wal', NAME)], io)).toBe(0)
    writeFileSync(at(io, 'pg_wal', '00000002.history'), '1\t0/1800000\tno reason\n')
    expect(await run(['wal-push', 'pg_wal/00000002.history'], io)).toBe(0)
    expect(objects(io)).toEqual([`${NAME}.lz4`, '00000002.history.lz4'].sort())
    expect(io.out()).toBe('')
  })

  it.each([
    ['other bytes under a stored name', 21, (io: FakeIo) => writeFileSync(at(io, 'pg_wal', NAME), Buffer.from(segment).fill(1, 900_000))],
    ['a cut segment', 2, (io: FakeIo) => writeFileSync(at(io, 'pg_wal', NAME), segment.subarray(0, 1000))],
    ['no such file', 2, (io: FakeIo) => rmSync(at(io, 'pg_wal', NAME))],
    ['a repository that is gone', 23, (io: FakeIo) => rmSync(at(io, 'repository'), { recursive: true })],
  ])('fails below 126: %s', async (_, code, change) => {
    using io = openWorld()
    expect(await run(['wal-push', `pg_wal/${NAME}`], io)).toBe(0)
    change(io)
    expect(await run(['wal-push', `pg_wal/${NAME}`], io)).toBe(code)
  })

  it("overwrites when the settings ask for WAL-G's behaviour", async () => {
    using io = openWorld({ WALG_PREVENT_WAL_OVERWRITE: 'false', WALG_COMPRESSION_METHOD: 'none' })
    await run(['wal-push', `pg_wal/${NAME}`], io)
    const other = Buffer.from(segment).fill(1, 900_000)
    writeFileSync(at(io, 'pg_wal', NAME), other)
    expect(await run(['wal-push', `pg_wal/${NAME}`], io)).toBe(0)
    expect(readFileSync(at(io, 'repository', 'wal_005', NAME)).equals(other)).toBe(true)
  })
})

describe('backup-fetch', () => {
  it('refuses an empty directory name, which would mean the working directory', async () => {
    using io = openWorld()
    expect(await run(['backup-fetch', '', 'LATEST'], io)).toBe(2)
    expect(io.err()).toContain('the directory to restore into is empty')
  })
})

describe('wal-fetch', () => {
  const stored = async (env: Record<string, string> = {}): Promise<FakeIo> => {
    const io = openWorld(env)
    expect(await run(['wal-push', `pg_wal/${NAME}`], io)).toBe(0)
    return io
  }
  const fetch = (io: FakeIo, name = NAME): Promise<number> => run(['wal-fetch', name, 'pg_wal/RECOVERYXLOG'], io)

  it('brings the file', async () => {
    using io = await stored()
    expect(await fetch(io)).toBe(0)
    expect(readFileSync(at(io, 'pg_wal', 'RECOVERYXLOG')).equals(segment)).toBe(true)
    expect(readdirSync(at(io, 'pg_wal')).sort()).toEqual([NAME, 'RECOVERYXLOG'])
  })

  const hurt = (io: FakeIo): void => writeFileSync(at(io, 'repository', 'wal_005', `${NAME}.lz4`), 'damaged')
  const cases: readonly (readonly [
    string,
    string,
    { readonly safe: number; readonly standby: number; readonly walG: number },
    (io: FakeIo) => void,
  ])[] = [
    ['the end of the archive', '000000010000000000000019', { safe: 74, standby: 74, walG: 74 }, () => undefined],
    ['a history that nothing needs', '00000002.history', { safe: 74, standby: 74, walG: 74 }, () => undefined],
    ['a hole', '000000010000000000000017', { safe: 200, standby: 75, walG: 1 }, () => undefined],
    ['a damaged object', NAME, { safe: 200, standby: 200, walG: 1 }, hurt],
    ['an empty archive', NAME, { safe: 200, standby: 75, walG: 1 }, (io) => rmSync(at(io, 'repository', 'wal_005'), { recursive: true })],
    ['a storage that is gone', NAME, { safe: 200, standby: 75, walG: 1 }, (io) => rmSync(at(io, 'repository'), { recursive: true })],
    ['a destination that is a folder', NAME, { safe: 200, standby: 200, walG: 1 }, (io) => mkdirSync(at(io, 'pg_wal', 'RECOVERYXLOG'))],
  ]
  for (const [what, name, codes, change] of cases) {
    it(`${what}: ${codes.safe}, on a standby ${codes.standby}, as WAL-G ${codes.walG}`, async () => {
      using primary = await stored()
      change(primary)
      expect(await fetch(primary, name)).toBe(codes.safe)
      using standby = await stored()
      writeFileSync(at(standby, 'standby.signal'), '')
      change(standby)
      expect(await fetch(standby, name)).toBe(codes.standby)
      using asWalG = await stored({ WALTZ_WAL_FETCH_EXIT_CODES: 'wal-g' })
      change(asWalG)
      expect(await fetch(asWalG, name)).toBe(codes.walG)
      for (const io of [primary, standby, asWalG])
        expect(readdirSync(at(io, 'pg_wal')).filter((file) => file.includes('.waltz-'))).toEqual([])
    })
  }
})
