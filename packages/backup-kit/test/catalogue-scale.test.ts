import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { soaking } from '@waltz/testkit'
import { describe, expect, it } from 'vitest'

/** A tenth of it where there is less time. */
const [BACKUPS, WAL] = soaking ? [10_000, 1_000_000] : [1_000, 100_000]
/** Chains of so many. */
const CHAIN = 10
const PARTS = 3
const PAGE = 1_000

/** What the process of its own prints. */
interface Outcome {
  readonly entries: number
  readonly lost: number
  readonly runs: number
  readonly windows: number
  readonly listed: number
  readonly gets: number
  readonly garbage: readonly { readonly kind: string; readonly objects: number }[]
  /** What is held when everything was collected that can be: by the catalogue, and by the survey of the archive. */
  readonly catalogueBytes: number
  readonly surveyBytes: number
  /** By how much the process grew at most. */
  readonly peakMib: number
  readonly seconds: number
}

/** Reads everything of a repository that is made up while it is listed, in a process of its own. */
const script = `
  import { createBackupChains } from './src/catalogue/backup-chains.ts'
  import { readCatalogue } from './src/catalogue/read-catalogue.ts'
  import { findGarbage, firstNeededSegments } from './src/catalogue/find-garbage.ts'
  import { surveyWal } from './src/catalogue/survey-wal.ts'
  import { walOfBackups } from './src/catalogue/wal-findings.ts'
  import { createObjectBody } from '@waltz/storage'
  import { nameOf, objectsOf, segment, SEGMENT_BYTES } from './test/catalogue-repository.ts'

  const [BACKUPS, WAL, CHAIN, PARTS] = [${BACKUPS}, ${WAL}, ${CHAIN}, ${PARTS}]
  const EVERY = Math.floor(WAL / BACKUPS)
  const modifiedAt = new Date('2026-03-01T00:00:00Z')
  const chain = []
  const made = (index) => {
    const own = { segment: 100 + index * EVERY, parts: PARTS }
    if (index % CHAIN === 0) return own
    const parent = nameOf(made(index - 1))
    return { ...own, parent, depth: index % CHAIN }
  }
  const textOf = new Map()
  const counts = { listed: 0, gets: 0 }
  async function* list(prefix) {
    if (prefix === 'wal_005/') {
      // One in a thousand is missing, and one in fifty has a sidecar.
      for (let number = 0; number < WAL; number += 1) {
        if (number % 1000 === 999) continue
        const name = segment(number)
        yield { key: 'wal_005/' + name + '.lz4', size: 1_000_000, modifiedAt: new Date(modifiedAt.getTime() + number * 1000), etag: '"' + number + '"' }
        counts.listed += 1
        if (number % 50 === 0) {
          counts.listed += 1
          yield { key: 'wal_005/' + name + '.00000028.backup.lz4', size: 200, modifiedAt, etag: '"b' + number + '"' }
        }
      }
      return
    }
    for (let index = 0; index < BACKUPS; index += 1)
      for (const key of [...objectsOf(made(index)).keys()].toSorted()) {
        counts.listed += 1
        yield { key, size: 100, modifiedAt: new Date(modifiedAt.getTime() + index), etag: '"' + key.length + index + '"' }
      }
  }
  const indexOf = (key) => (parseInt(/base_[0-9A-F]{8}([0-9A-F]{16})/.exec(key)[1].slice(0, 8), 16) * 256 + parseInt(/base_[0-9A-F]{16}([0-9A-F]{8})/.exec(key)[1], 16) - 100) / EVERY
  const store = {
    list,
    async get(key) {
      counts.gets += 1
      const bytes = Buffer.from(objectsOf(made(indexOf(key))).get(key))
      return createObjectBody({ info: { key, size: bytes.length, modifiedAt }, async *read() { yield bytes }, close: async () => undefined })
    },
  }
  const storages = [{ name: 'default', store }]
  const held = () => { gc(); return process.memoryUsage().heapUsed }
  const [before, heldBefore, begin] = [process.resourceUsage().maxRSS, held(), performance.now()]
  const catalogue = await readCatalogue(storages, { now: () => new Date('2026-06-01T00:00:00Z') })
  const heldByCatalogue = held()
  const cuts = firstNeededSegments(catalogue.entries, SEGMENT_BYTES)
  const survey = await surveyWal(storages, { segmentBytes: SEGMENT_BYTES, cutAt: (timeline) => cuts.get(timeline), readHistory: async () => undefined })
  const heldBySurvey = held()
  const wal = walOfBackups(catalogue.entries, survey)
  const chains = createBackupChains(catalogue.entries)
  const garbage = findGarbage(catalogue, { survey, cuts })
  console.log(JSON.stringify({
    entries: catalogue.entries.length,
    lost: catalogue.entries.filter((entry) => chains.fullOf(entry) === undefined || entry.findings.length > 0).length,
    runs: survey.timelines[0].runs.length,
    windows: [...wal.values()].filter(({ windows }) => windows.length === 1).length,
    ...counts,
    garbage: garbage.findings.map(({ kind, objects }) => ({ kind, objects })),
    catalogueBytes: heldByCatalogue - heldBefore,
    surveyBytes: heldBySurvey - heldByCatalogue,
    peakMib: Math.ceil((process.resourceUsage().maxRSS - before) / 1024),
    seconds: (performance.now() - begin) / 1000,
  }))
`

describe('the catalogue at scale', () => {
  it(`reads ${BACKUPS} backups and ${WAL} segments in bounded memory`, { timeout: 600_000 }, async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--expose-gc', '--conditions=source', '--input-type=module', '-e', script],
      {
        cwd: fileURLToPath(new URL('..', import.meta.url)),
        maxBuffer: 2 ** 24,
      },
    )
    const outcome = JSON.parse(stdout) as Outcome
    const { listed, gets, catalogueBytes, surveyBytes, peakMib, seconds } = outcome
    console.log(
      `catalogue: ${BACKUPS} backups, ${WAL} segments: ${Math.ceil(listed / PAGE)} pages of ${PAGE}, ${gets} small objects, ${seconds.toFixed(1)} s, ${Math.round(catalogueBytes / BACKUPS)} bytes held of each backup, ${Math.round(surveyBytes / 1024)} KiB of the archive, peak ${peakMib} MiB`,
    )
    const missing = Math.floor(WAL / 1000)
    expect(outcome).toMatchObject({ entries: BACKUPS, lost: 0, runs: missing, windows: BACKUPS - 1 })
    // The last backup is younger than the last segment. Each object once: parts, metadata and sentinel; segments, and one in fifty with something beside it.
    expect(listed).toBe(BACKUPS * (PARTS + 2) + WAL - missing + WAL / 50)
    expect(gets).toBe(2 * BACKUPS)
    expect(outcome.garbage).toEqual([{ kind: 'wal-before-first-backup', objects: 100 + 2 }])
    expect(catalogueBytes / BACKUPS).toBeLessThan(4096)
    expect(surveyBytes).toBeLessThan(2 ** 20 + 1024 * missing)
    expect(peakMib).toBeLessThan(soaking ? 160 : 60)
  })
})
