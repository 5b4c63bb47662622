import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sourceOf } from '@waltz/bytes'
import { createCodecRegistry } from '@waltz/codecs'
import { abortedFault } from '@waltz/errors'
import type { WalRange } from '@waltz/pg-physical-backup'
import { segmentName, type SystemIdentifier, type TimelineId, type WalFileName } from '@waltz/pg-structures'
import { createSealedFormat } from '@waltz/repository'
import { createMemoryStore } from '@waltz/storage/memory'
import { createWalArchive, loadCrc32c, type WalArchive } from '@waltz/wal-archive'
import { createBackupWalKeeper, type WalKeeperOptions } from '../src/backup-wal-keeper.ts'

const SEGMENT = 1_048_576
const SYSTEM = 7_402_951_873_649_102_847n as SystemIdentifier
const TIMELINE = 2 as TimelineId
const name = (number: number): WalFileName => segmentName(TIMELINE, number, SEGMENT)

let walDirectory: string
beforeEach(() => {
  walDirectory = join(mkdtempSync(join(tmpdir(), 'waltz-keeper-')), 'pg_wal')
  mkdirSync(walDirectory)
})
afterEach(() => rmSync(join(walDirectory, '..'), { recursive: true, force: true }))

/** A segment with a sane first page header (xlog_internal.h) and nothing else. */
function segment(number: number, systemIdentifier: bigint = SYSTEM): Buffer {
  const bytes = Buffer.alloc(SEGMENT)
  bytes.writeUInt16LE(0xd116, 0)
  bytes.writeUInt16LE(2, 2)
  bytes.writeUInt32LE(TIMELINE, 4)
  bytes.writeBigUInt64LE(BigInt(number) * BigInt(SEGMENT), 8)
  bytes.writeBigUInt64LE(systemIdentifier, 24)
  bytes.writeUInt32LE(SEGMENT, 32)
  bytes.writeUInt32LE(8192, 36)
  return bytes
}

async function openArchive(segmentBytes?: number): Promise<WalArchive> {
  const registry = createCodecRegistry()
  return createWalArchive({
    store: createMemoryStore({ now: () => new Date(0) }),
    format: createSealedFormat({ codec: await registry.byName('none'), registry }),
    whenStored: 'refuse',
    crc32c: loadCrc32c,
    sleep: async () => undefined,
    now: () => new Date(0),
    holeRecheckMs: 0,
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
  })
}

function range(first: number, end: number, given: Partial<WalRange> = {}): WalRange {
  return {
    timeline: TIMELINE,
    segmentBytes: SEGMENT,
    first,
    end,
    backupHistory: undefined,
    timelineHistory: undefined,
    walDirectory,
    inRecovery: false,
    isComplete: async () => true,
    ...given,
  }
}

interface Watched {
  readonly keeper: ReturnType<typeof createBackupWalKeeper>
  readonly said: string[]
  elapsed(): number
}

/** A keeper on a clock that only sleeping moves; `at` happens when so many milliseconds have passed. */
function keeperOf(
  archive: WalArchive,
  at: Readonly<Record<number, () => void | Promise<void>>> = {},
  given: Partial<WalKeeperOptions> = {},
): Watched {
  let ms = 0
  const said: string[] = []
  const keeper = createBackupWalKeeper({
    archive,
    now: () => new Date(ms),
    async sleep(waitMs, signal) {
      if (signal?.aborted === true) throw abortedFault(signal)
      ms += waitMs
      await at[ms]?.()
    },
    waitTimeoutMs: 60_000,
    whenMissing: 'fail',
    observe: (event) => {
      if (event.type === 'waiting-for-wal') said.push(`${event.segment} ${event.waitedMs}`)
      if (event.type === 'warning') said.push(event.message)
    },
    ...given,
  })
  return { keeper, said, elapsed: () => ms }
}

const put = (number: number, bytes = segment(number)): void => writeFileSync(join(walDirectory, name(number)), bytes)
const archived = (archive: WalArchive, number: number): Promise<unknown> =>
  archive.push(name(number), () => sourceOf(segment(number)), { size: SEGMENT })
const signal = new AbortController().signal

describe('a primary', () => {
  it('has all of it in pg_wal: pushed at once, with histories, and what the archiver pushed counts as present', async () => {
    const archive = await openArchive()
    for (const number of [5, 6, 7]) put(number)
    const backupHistory = `${name(5)}.00000028.backup` as WalFileName
    writeFileSync(join(walDirectory, backupHistory), 'START WAL LOCATION: ...')
    writeFileSync(join(walDirectory, '00000002.history'), '1\t0/500000\tno recovery target specified\n')
    await archived(archive, 6)
    const { keeper, elapsed } = keeperOf(archive)
    const outcome = await keeper.ensure(range(5, 8, { backupHistory, timelineHistory: '00000002.history' as WalFileName }), signal)
    expect(outcome).toEqual({ pushed: [name(5), name(7), '00000002.history', backupHistory], present: [name(6)], pending: [] })
    for (const stored of [name(5), name(6), name(7), '00000002.history', backupHistory]) expect(await archive.has(stored)).toBe(true)
    expect(elapsed()).toBe(0)
  })

  it('takes from the archive what was recycled already', async () => {
    const archive = await openArchive()
    await archived(archive, 5)
    put(6)
    expect(await keeperOf(archive).keeper.ensure(range(5, 7), signal)).toEqual({ pushed: [name(6)], present: [name(5)], pending: [] })
  })

  it('fails when a segment is nowhere', async () => {
    const { keeper, elapsed } = keeperOf(await openArchive())
    await expect(keeper.ensure(range(5, 6), signal)).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'BACKUP_WAL_MISSING',
      context: { name: name(5) },
    })
    expect(elapsed()).toBe(60_000)
  })

  it('does without a note about the backup that is not there', async () => {
    put(5)
    const outcome = await keeperOf(await openArchive()).keeper.ensure(
      range(5, 6, { backupHistory: `${name(5)}.00000028.backup` as WalFileName }),
      signal,
    )
    expect(outcome.pushed).toEqual([name(5)])
  })

  it('says why a file of that name cannot be the segment, instead of calling it missing', async () => {
    put(5, segment(9))
    await expect(keeperOf(await openArchive()).keeper.ensure(range(5, 6), signal)).rejects.toMatchObject({
      code: 'BACKUP_WAL_MISSING',
      message: expect.stringContaining('nor fit to be archived') as string,
    })
    put(5)
    await expect(keeperOf(await openArchive(16 * SEGMENT)).keeper.ensure(range(5, 6), signal)).rejects.toMatchObject({
      hint: expect.stringContaining('WALG_PG_WAL_SIZE') as string,
    })
  })

  it('does not replace what the archive has under the name', async () => {
    const archive = await openArchive()
    await archive.push(name(5), () => sourceOf(segment(5).fill(1, 4096)), { size: SEGMENT })
    put(5)
    await expect(keeperOf(archive).keeper.ensure(range(5, 6), signal)).rejects.toMatchObject({ kind: 'conflict', code: 'WAL_CONFLICT' })
  })

  it('takes a file that cannot be read for a failure, not for a missing one', async () => {
    mkdirSync(join(walDirectory, 'loop'))
    const { keeper } = keeperOf(await openArchive())
    await expect(keeper.ensure(range(5, 6, { walDirectory: `${walDirectory}/${'x'.repeat(300)}` }), signal)).rejects.toMatchObject({
      code: 'WAL_FILE_UNREADABLE',
    })
  })
})

describe('a standby', () => {
  it('waits for what the primary has not finished, telling it now and then; the time-out starts again with each segment', async () => {
    const archive = await openArchive()
    put(5)
    put(6)
    const { keeper, said, elapsed } = keeperOf(archive, {
      50_000: () => void archived(archive, 6),
      100_000: () => void archived(archive, 7),
    })
    const outcome = await keeper.ensure(range(5, 8, { inRecovery: true, isComplete: async (number) => number === 5 }), signal)
    expect(outcome).toEqual({ pushed: [name(5)], present: [name(6), name(7)], pending: [] })
    expect(elapsed()).toBeGreaterThan(99_000)
    expect(said.slice(0, 3)).toEqual([`${name(6)} 0`, `${name(6)} 5000`, `${name(6)} 10000`])
    expect(said.length).toBeLessThan(25)
  })

  it('pushes its own copy as soon as it has replayed all of it', async () => {
    const archive = await openArchive()
    put(5)
    let complete = false
    const { keeper } = keeperOf(archive, { 3_000: () => void (complete = true) })
    expect(await keeper.ensure(range(5, 6, { inRecovery: true, isComplete: async () => complete }), signal)).toEqual({
      pushed: [name(5)],
      present: [],
      pending: [],
    })
  })

  it('never pushes a segment that is still being written', async () => {
    const archive = await openArchive()
    put(5)
    await expect(
      keeperOf(archive).keeper.ensure(range(5, 6, { inRecovery: true, isComplete: async () => false }), signal),
    ).rejects.toMatchObject({
      code: 'BACKUP_WAL_MISSING',
      hint: expect.stringContaining('pg_switch_wal') as string,
    })
    expect(await archive.has(name(5))).toBe(false)
  })

  it('records what is missing when told to, and says so', async () => {
    const archive = await openArchive()
    put(5)
    const { keeper, said } = keeperOf(archive, {}, { whenMissing: 'record' })
    expect(await keeper.ensure(range(5, 7, { inRecovery: true, isComplete: async (number) => number === 5 }), signal)).toEqual({
      pushed: [name(5)],
      present: [],
      pending: [name(6)],
    })
    expect(said.at(-1)).toContain(name(6))
  })

  it('stops waiting with the signal', async () => {
    const controller = new AbortController()
    const { keeper } = keeperOf(await openArchive(), { 1_000: () => controller.abort(new Error('SIGTERM')) })
    await expect(keeper.ensure(range(5, 6, { inRecovery: true }), controller.signal)).rejects.toMatchObject({ kind: 'aborted' })
  })
})
