import { join } from 'node:path'
import { largeRepository, type LargeRepository } from '@waltz/testkit'
import type { BenchOptions } from '../arguments.ts'
import type { ListingJob } from '../catalogue/bare-listing.ts'
import { callsOf, openCountingProxy, requestsOf } from '../catalogue/count-requests.ts'
import { fillRepository } from '../catalogue/fill-repository.ts'
import type { StorePlace } from '../catalogue/open-store.ts'
import { bundlePrograms, type CataloguePrograms } from '../catalogue/programs.ts'
import { bareListing, listingAndDocuments } from '../peers/bare-listing.ts'
import type { Bench, Cell, Command, OpenWorkload, Suite, Workload } from '../model.ts'

type Kind = StorePlace['kind']
type Listings = ListingJob['listings']

/** What is asked, in the words of the command, and what has to be listed and read for it. */
interface Question {
  readonly operation: string
  readonly args: (repository: LargeRepository) => readonly string[]
  readonly listings: Listings
  readonly documents: ListingJob['documents']
}

const whole = (...prefixes: readonly string[]): Listings => prefixes.map((prefix) => ({ prefix, oneLevel: false }))
const ALL = whole('basebackups_005/', 'catchup_005/', 'waltz/', 'wal_005/')
const SENTINELS: Listings = [{ prefix: 'basebackups_005/', oneLevel: true }]
/** In the middle, and a full one. */
const MIDDLE = 98
const QUICK_MIDDLE = 21

const questions: readonly Question[] = [
  { operation: 'list', args: () => ['backup-list'], listings: SENTINELS, documents: 'none' },
  { operation: 'list detail', args: () => ['backup-list', '--detail'], listings: SENTINELS, documents: 'metadata' },
  { operation: 'retain', args: () => ['delete', 'retain', 'FULL', '3'], listings: ALL, documents: 'all' },
  { operation: 'before', args: (made) => ['delete', 'before', middleOf(made)], listings: ALL, documents: 'all' },
  { operation: 'garbage', args: () => ['garbage'], listings: whole('basebackups_005/', 'wal_005/'), documents: 'all' },
]

const stores: readonly { readonly kind: Kind; readonly name: string }[] = [
  { kind: 'file', name: 'a directory' },
  { kind: 's3', name: 'S3' },
]

/** The catalogue and dry runs of deletions over many backups and very many segments. */
export const catalogueSuite: Suite = {
  name: 'catalogue',
  onlyByName: true,
  about: 'backups listed and deletions planned over 200 backups and 100,000 segments, in a directory and on radosgw',
  workloads: (options) => stores.flatMap((store) => questions.map((question) => workload(options, store, question))),
}

function amounts({ quick }: BenchOptions): { readonly backups: number; readonly walObjects: number } {
  return quick ? { backups: 50, walObjects: 10_000 } : { backups: 200, walObjects: 100_000 }
}

function middleOf(made: LargeRepository): string {
  return made.backupName(made.walObjects > 50_000 ? MIDDLE : QUICK_MIDDLE)
}

function workload(options: BenchOptions, { kind, name }: (typeof stores)[number], question: Question): Workload {
  const { backups, walObjects } = amounts(options)
  return {
    suite: 'catalogue',
    operation: question.operation,
    content: kind,
    title: `${question.args(largeRepository(amounts(options))).join(' ')}, ${backups} backups and ${walObjects} segments in ${name}`,
    against: bareListing.name,
    rounds: options.rounds,
    // Counting the requests has warmed up what can be warmed up.
    warmUps: 0,
    expectedSeconds: (options.rounds + 2) * (walObjects / 100_000) * 12 + (kind === 's3' ? walObjects / 2000 : 2),
    open: async (bench: Bench): Promise<OpenWorkload> => {
      const { place, repository, programs } = await setUp(bench, kind)
      const runs: readonly Run[] = [
        { peer: 'waltz', command: (at) => waltzCommand(bench, at, question.args(repository)) },
        { peer: bareListing.name, command: (at) => listingCommand(bench, programs, { ...question, place: at, documents: 'none' }) },
        ...(question.documents === 'none'
          ? []
          : [{ peer: listingAndDocuments.name, command: (at: StorePlace) => listingCommand(bench, programs, { ...question, place: at }) }]),
      ]
      const cells: Cell[] = []
      for (const run of runs) {
        const requests = await countRequests(bench, { place, programs }, run)
        cells.push({ peer: run.peer, action: { command: run.command(place), prepare: () => undefined, requests } })
      }
      return { cells, server: undefined, close: () => undefined }
    },
  }
}

interface Run {
  readonly peer: string
  readonly command: (place: StorePlace) => Command
}

interface Scene {
  readonly place: StorePlace
  readonly repository: LargeRepository
  readonly programs: CataloguePrograms
}

/** One for each kind of store; filling one takes longer than a workload. */
const scenes = new WeakMap<Bench, Map<Kind, Promise<Scene>>>()

function setUp(bench: Bench, kind: Kind): Promise<Scene> {
  const known = scenes.get(bench) ?? new Map<Kind, Promise<Scene>>()
  scenes.set(bench, known)
  const scene = known.get(kind) ?? makeScene(bench, kind)
  known.set(kind, scene)
  return scene
}

async function makeScene(bench: Bench, kind: Kind): Promise<Scene> {
  const size = amounts(bench.options)
  const repository = largeRepository({ ...size, backupsPerTimeline: size.backups * 0.4 })
  const place = await makePlace(bench, kind)
  const total = repository.backupObjects + repository.walObjects
  await fillRepository(place, repository, (stored) => {
    bench.signal.throwIfAborted()
    bench.progress.now(`${stored} of ${total} objects are stored ...`)
  })
  return { place, repository, programs: bundlePrograms(bench.folder) }
}

async function makePlace(bench: Bench, kind: Kind): Promise<StorePlace> {
  if (kind === 'file') return { kind, root: bench.folder.makeFolder('catalogue') }
  const server = await bench.objectServer.start()
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  return { kind, endpoint, region, accessKeyId, secretAccessKey, bucket: await server.createBucket() }
}

/** Waltz as users run it. */
function waltzCommand({ tools }: Bench, place: StorePlace, args: readonly string[]): Command {
  const env = place.kind === 'file' ? { WALG_FILE_PREFIX: place.root } : s3Environment(place)
  return { argv: [join(tools.distribution, 'waltz'), ...args], env: { ...env, WALTZ_NODE: tools.node } }
}

function s3Environment(place: Extract<StorePlace, { kind: 's3' }>): Readonly<Record<string, string>> {
  return {
    WALG_S3_PREFIX: `s3://${place.bucket}`,
    AWS_ENDPOINT: place.endpoint,
    AWS_REGION: place.region,
    AWS_S3_FORCE_PATH_STYLE: 'true',
    AWS_ACCESS_KEY_ID: place.accessKeyId,
    AWS_SECRET_ACCESS_KEY: place.secretAccessKey,
  }
}

/** The flags are those of the shipped script, so that memory and collections compare. */
const FLAGS = ['--min-semi-space-size=4', '--max-semi-space-size=4', '--heap-growing-percent=10', '--no-allocation-site-pretenuring']

function listingCommand({ tools }: Bench, { listing }: CataloguePrograms, { place, listings, documents }: ListingJob): Command {
  const job: ListingJob = { place, listings, documents }
  return { argv: [tools.node, ...FLAGS, listing, JSON.stringify(job)] }
}

async function countRequests(bench: Bench, { place, programs }: Pick<Scene, 'place' | 'programs'>, run: Run): Promise<string> {
  bench.progress.now(`${run.peer}: counting its requests ...`)
  if (place.kind === 'file') {
    const counts = join(bench.folder.makeFolder('counts'), 'calls.json')
    return await callsOf(run.command(place), { preload: programs.preload, counts })
  }
  const proxy = await openCountingProxy(place.endpoint)
  try {
    return await requestsOf(run.command({ ...place, endpoint: proxy.endpoint }), proxy)
  } finally {
    proxy.close()
  }
}
