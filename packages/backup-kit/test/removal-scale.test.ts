import { execFile } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { largeRepository, soaking, temporaryFolder } from '@waltz/testkit'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'

/** A tenth of it where there is less time. */
const SIZE = soaking ? { backups: 10_000, walObjects: 1_000_000 } : { backups: 1_000, walObjects: 100_000 }
const OPTIONS = { ...SIZE, backupsPerTimeline: SIZE.backups * 0.4 }
const PAGE = 1_000
const CHAIN = 7
/** What the process may hold in all. */
const MOST_MIB = 150
/** Those of the shipped script. */
const FLAGS = ['--min-semi-space-size=4', '--max-semi-space-size=4', '--heap-growing-percent=10', '--no-allocation-site-pretenuring']

type Work = 'retain' | 'garbage'

/** What the process of its own prints. */
interface Outcome {
  readonly pages: number
  readonly gets: number
  readonly peakMib: number
  readonly baseMib: number
  readonly seconds: number
  /** Of a plan. */
  readonly sums?: Readonly<Record<string, { readonly objects: number }>>
  readonly kept?: number
  readonly listed?: number
  /** Of the report on garbage. */
  readonly garbage?: readonly { readonly kind: string; readonly objects: number }[]
}

/** A repository that is made up page by page while it is listed. */
const script = (work: Work, folder: string): string => `
  import { setTimeout as delay } from 'node:timers/promises'
  import { createObjectBody } from '@waltz/storage'
  import { parseTimelineHistory } from '@waltz/pg-structures'
  import { largeRepository } from '../../tools/testkit/src/large-repository.ts'
  const work = ${JSON.stringify(work)}
  import { planRemovalWithParts } from './src/removal/plan-removal.ts'
  import { readCatalogue } from './src/catalogue/read-catalogue.ts'
  import { surveyWal } from './src/catalogue/survey-wal.ts'
  import { findGarbage, firstNeededSegments } from './src/catalogue/find-garbage.ts'

  const made = largeRepository(${JSON.stringify(OPTIONS)})
  const counts = { pages: 0, gets: 0 }
  const keysOf = (prefix) => prefix === 'wal_005/' ? made.walKeys() : prefix === 'basebackups_005/' ? made.backupKeys() : []
  const store = {
    async *list(prefix) {
      counts.pages += 1
      let left = ${PAGE}
      for (const key of keysOf(prefix)) {
        if (left === 0) {
          counts.pages += 1
          left = ${PAGE}
          await new Promise(setImmediate)
        }
        left -= 1
        yield { key, size: 100, modifiedAt: made.modifiedAtOf(key), etag: '"' + key.slice(-40) + '"' }
      }
    },
    async get(key) {
      counts.gets += 1
      const bytes = made.bytesOf(key)
      return createObjectBody({ info: { key, size: bytes.length, modifiedAt: made.modifiedAtOf(key) }, async *read() { yield bytes }, close: async () => undefined })
    },
  }
  const readHistory = async (timeline) => {
    counts.gets += 1
    const text = Buffer.from(made.bytesOf('wal_005/' + timeline.toString(16).padStart(8, '0') + '.history.lz4')).subarray(11, -4)
    return parseTimelineHistory(text.toString(), timeline)
  }
  const storages = [{ name: 'default', store }]
  const now = () => new Date('2026-06-01T00:00:00Z')
  const resident = () => Math.ceil(process.resourceUsage().maxRSS / 1024)
  const [baseMib, begin] = [resident(), performance.now()]
  const found = {}
  if (work === 'retain') {
    const surroundings = { now, hostname: 'db1', user: 'postgres', processId: 1, cores: 2, temporaryFolder: ${JSON.stringify(folder)} }
    const parts = { surroundings, storages, spoolFolder: ${JSON.stringify(folder)}, readHistory, sleep: (ms) => delay(ms) }
    const plan = await planRemovalWithParts(parts, { wish: { mode: 'retain', count: ${fullsKept()}, fulls: 'FULL' } })
    found.sums = plan.sums
    found.kept = plan.decisions.filter(({ keep }) => keep).length
    found.listed = 0
    for (const phase of Object.keys(plan.sums)) for await (const object of plan.objects(phase)) found.listed += 1
    await plan[Symbol.asyncDispose]()
  } else {
    const catalogue = await readCatalogue(storages, { now })
    const cuts = firstNeededSegments(catalogue.entries, 16 * 2 ** 20)
    const survey = await surveyWal(storages, { segmentBytes: 16 * 2 ** 20, cutAt: (timeline) => cuts.get(timeline), readHistory })
    found.garbage = findGarbage(catalogue, { survey, cuts }).findings.map(({ kind, objects }) => ({ kind, objects }))
  }
  console.log(JSON.stringify({ ...found, ...counts, baseMib, peakMib: resident(), seconds: (performance.now() - begin) / 1000 }))
`

/** A third of the full ones. */
function fullsKept(): number {
  return Math.floor(SIZE.backups / CHAIN / 3)
}

/** The oldest backup that stays: the last full one but so many. */
function oldestKept(): number {
  return (Math.ceil(SIZE.backups / CHAIN) - fullsKept()) * CHAIN
}

async function run(work: Work, folder: string): Promise<Outcome> {
  // As it is shipped: what reads the sources holds 35 MiB by itself.
  const outfile = join(folder, 'run.mjs')
  await build({
    stdin: { contents: script(work, folder), resolveDir: fileURLToPath(new URL('..', import.meta.url)), loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
    outfile,
    logLevel: 'error',
  })
  const { stdout } = await promisify(execFile)(process.execPath, [...FLAGS, outfile], { maxBuffer: 2 ** 24 })
  rmSync(outfile)
  const outcome = JSON.parse(stdout) as Outcome
  const { pages, gets, baseMib, peakMib, seconds } = outcome
  const { backups, walObjects } = SIZE
  console.log(
    `${work} over ${backups} backups and ${walObjects} segments: ${pages} pages of ${PAGE}, ${gets} small objects, ${seconds.toFixed(1)} s, ${peakMib} MiB resident at most, ${baseMib} MiB of them to begin with`,
  )
  return outcome
}

const made = largeRepository(OPTIONS)
const pagesOf = (objects: number): number => Math.ceil(objects / PAGE)
const histories = made.timelines - 1

describe('deletions at scale', () => {
  it(`plans over ${SIZE.backups} backups and ${SIZE.walObjects} segments in bounded memory`, { timeout: 600_000 }, async () => {
    await using folder = temporaryFolder()
    const outcome = await run('retain', folder.path)
    const gone = oldestKept()
    const oldest = made.backupName(gone).slice('base_'.length)
    let wal = 0
    for (const key of made.walKeys()) if (!key.includes('.history') && key < `wal_005/${oldest}`) wal += 1
    expect(outcome.sums).toMatchObject({
      sentinels: { objects: gone },
      backups: { objects: gone * 3 },
      wal: { objects: wal },
      catchups: { objects: 0 },
      waltz: { objects: 0 },
    })
    expect(wal).toBeGreaterThan(SIZE.walObjects / 2)
    expect(outcome).toMatchObject({ kept: SIZE.backups - gone, listed: gone * 4 + wal })
    // Backups, WAL, backups for standbys, Waltz's own: each folder once, from its beginning to its end.
    expect(outcome.pages).toBe(pagesOf(made.backupObjects) + pagesOf(made.walObjects) + 2)
    expect(outcome.gets).toBe(2 * SIZE.backups + histories)
    expect(outcome.peakMib).toBeLessThanOrEqual(MOST_MIB)
    expect(readdirSync(folder.path)).toEqual([])
  })

  it(`finds the garbage of ${SIZE.backups} backups and ${SIZE.walObjects} segments in bounded memory`, { timeout: 600_000 }, async () => {
    await using folder = temporaryFolder()
    const outcome = await run('garbage', folder.path)
    // What is older than the first backup.
    expect(outcome.garbage).toEqual([{ kind: 'wal-before-first-backup', objects: 10 }])
    expect(outcome.pages).toBe(pagesOf(made.backupObjects) + pagesOf(made.walObjects))
    expect(outcome.gets).toBe(2 * SIZE.backups + histories)
    expect(outcome.peakMib).toBeLessThanOrEqual(MOST_MIB)
  })
})
