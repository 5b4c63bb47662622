import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, zstdDecompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  checkSegmentHeader,
  classifyWalFileName,
  createSegmentTimeScan,
  decodeWalPageHeader,
  formatLsn,
  parseBackupLabel,
  parseTimelineHistory,
  parseWalFileName,
  segmentNumberFromName,
  segmentStart,
  timelineAt,
  timelineId,
  type SegmentTimes,
} from '../../src/index.ts'

const root = new URL('../../../../../shared/fixtures/', import.meta.url).pathname
const folders = existsSync(root)
  ? readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('/wal.tsv') && !path.startsWith('ciphers/') && existsSync(join(root, path, '..', 'repo')))
      .map((path) => path.slice(0, -'/wal.tsv'.length))
      .sort()
  : []
if (folders.length === 0) console.warn('SKIPPED: no archives written by WAL-G found')

function decompress(path: string): Uint8Array | undefined {
  const bytes = readFileSync(path)
  if (path.endsWith('.zst')) return zstdDecompressSync(bytes)
  if (path.endsWith('.br')) return brotliDecompressSync(bytes)
  if (!path.endsWith('.lz4')) return undefined
  const result = spawnSync('lz4', ['-dc'], { input: bytes, maxBuffer: 2 ** 28 })
  return result.status === 0 ? result.stdout : undefined
}

interface ArchivedFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** The files of an archive whose bytes are what its list says: some archives were emptied on purpose. */
function filesOf(folder: string): ArchivedFile[] {
  const rows = readFileSync(join(root, folder, 'wal.tsv'), 'utf8')
    .trim()
    .split('\n')
  return rows.flatMap((row) => {
    const [name = '', object = '', , sha256] = row.split('\t')
    if (classifyWalFileName(name) === undefined) return []
    const path = [join(root, folder, 'repo', object), join(root, folder, 'repo', 'wal_005', object)].find(
      (path) => path.includes(name) && existsSync(path),
    )
    const bytes = path === undefined ? undefined : decompress(path)
    return bytes !== undefined && createHash('sha256').update(bytes).digest('hex') === sha256 ? [{ name, bytes }] : []
  })
}

function scan({ name, bytes }: ArchivedFile): SegmentTimes {
  const segmentBytes = bytes.length
  const walk = createSegmentTimeScan({
    segmentBytes,
    start: segmentStart(segmentNumberFromName(parseWalFileName(name), segmentBytes), segmentBytes),
    timeline: timelineId(Number.parseInt(name.slice(0, 8), 16)),
  })
  walk.push(bytes)
  return walk.finish()
}

describe('WAL archived by WAL-G', () => {
  it.each(folders)('is whole: %s', (folder) => {
    for (const file of filesOf(folder)) {
      const name = parseWalFileName(file.name)
      const kind = classifyWalFileName(name)?.kind
      if (kind === 'timeline-history') {
        const timeline = timelineId(Number.parseInt(name.slice(0, 8), 16))
        const history = parseTimelineHistory(new TextDecoder().decode(file.bytes), timeline)
        // One archive holds an empty history file, pushed by hand.
        expect(history.switches.at(-1)?.timeline).toBe(file.bytes.length === 0 ? undefined : timeline - 1)
      } else if (kind === 'backup-history') {
        const label = parseBackupLabel(new TextDecoder().decode(file.bytes))
        expect(name.startsWith(label.startWalFile)).toBe(true)
        expect(label.stopLsn! > label.startLsn).toBe(true)
      } else {
        const { systemIdentifier } = decodeWalPageHeader(file.bytes).long!
        expect(checkSegmentHeader({ bytes: file.bytes, name, fileBytes: file.bytes.length, systemIdentifier, blockBytes: 8192 })).toEqual(
          [],
        )
        const { check } = scan(file)
        expect(check.problem, `${folder} ${name}`).toBeUndefined()
        expect(check.complete, `${folder} ${name} ${check.ending} ${formatLsn(check.endOfRecords)}`).toBe(kind === 'segment')
      }
    }
  })

  it.runIf(folders.length > 0)('is enough of it to mean something', () => {
    const names = folders.flatMap((folder) => filesOf(folder).map(({ name }) => name))
    expect(names.length).toBeGreaterThan(80)
    for (const suffix of ['.partial', '.backup', '.history']) expect(names.some((name) => name.endsWith(suffix))).toBe(true)
  })

  it.runIf(folders.includes('timelines/main'))('carries the timelines that its history says', () => {
    const files = new Map(filesOf('timelines/main').map(({ name, bytes }) => [name, bytes]))
    const history = parseTimelineHistory(new TextDecoder().decode(files.get('00000003.history')), timelineId(3))
    const atStart = [...files].flatMap(([name, bytes]) => {
      if (classifyWalFileName(name)?.kind !== 'segment' || !name.startsWith('00000003')) return []
      const header = decodeWalPageHeader(bytes)
      return [[header.timeline, timelineAt(history, header.pageAddress)]]
    })
    expect(atStart.length).toBeGreaterThan(3)
    for (const [inPage, inHistory] of atStart) expect(inPage).toBe(inHistory)
    expect(new Set(atStart.map(([inPage]) => inPage))).toEqual(new Set([2, 3]))
  })
})
