/** The words of the harness: what a command, a peer, a workload and a result are. */
import type { Radosgw, TemporaryFolder, TestCluster } from '@waltz/testkit'
import type { BenchOptions } from './arguments.ts'
import type { Direction, StageName } from './driver/job.ts'
import type { Progress } from './progress.ts'

/** How the bytes of a backup are compressed, at the level that is named in `codecs.ts`. */
export type CodecName = 'lz4' | 'zstd' | 'brotli' | 'none'

/** A program with its arguments; nothing of the harness's own environment reaches it. */
export interface Command {
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** It prints a report of its own: the time of its work without its start, and the memory above what it began with. */
  readonly reports?: boolean
}

/** One thing that is measured, and what surrounds it outside of the timing. */
export interface Action {
  readonly command: Command
  /** Before every run: the target folder is removed, the repository emptied. */
  prepare(): Promise<void> | void
  /** What the start of the program alone takes; it is taken off. */
  readonly start?: { readonly wallMs: number; readonly cpuMs: number }
  /** Bytes that lie stored after a run. */
  stored?(): number
  /** What it asks of its store; counted in a run of its own. */
  readonly requests?: string
  /** Once, after the first run. @throws Error when what was made is not what it should be. */
  check?(): Promise<void> | void
}

/** A server to back up, or a data directory whose server is stopped. */
export interface BenchCluster {
  readonly dataDirectory: string
  readonly server: TestCluster
  /** PGHOST, PGPORT, PGUSER, PGDATABASE. */
  readonly env: Readonly<Record<string, string>>
}

/** What a peer is given to make or restore a backup. `folder` belongs to this peer and this workload alone. */
export interface BackupJob {
  readonly cluster: BenchCluster
  readonly codec: CodecName
  readonly folder: string
}

/** Restores what the peer's own backup left in `folder`; `target` is where to. */
export interface RestoreJob extends BackupJob {
  readonly target: string
}

/** One segment in `pg_wal` of a stopped cluster; `fetched` is where a fetch puts it. */
export interface WalJob extends BackupJob {
  readonly segment: string
  readonly fetched: string
}

/** Files between a folder and a bucket. */
export interface TransferJob {
  readonly server: Radosgw
  readonly bucket: string
  /** The files to upload, flat. */
  readonly local: string
  /** Where a download puts them. */
  readonly target: string
  /** For config files. */
  readonly folder: string
  /** Files at once. */
  readonly transfers: number
  readonly partBytes: number
  /** Parts of one file at once. */
  readonly partsAtOnce: number
}

/** One file through a codec or a cipher, into /dev/null unless the result is wanted. */
export interface TransformJob {
  readonly stage: StageName
  readonly direction: Direction
  /** What is read: the plain file, or one that this stage has packed. */
  readonly input: string
  readonly output?: string
  /** As much of the input, over and over. */
  readonly bytes?: number
  /** Streams of one process at once; programs run so many times, one after the other. */
  readonly streams: number
  /** Whether the peak of memory is asked for, which leaves out what comes before the clock starts. */
  readonly memory: boolean
  /** A key of OpenPGP, armoured and in a key ring of gpg. */
  readonly keys: { readonly keyFile: string; readonly gpgHome: string }
}

/** Programs that the harness itself needs. */
export interface Tools {
  readonly node: string
  /** The shipped folder. */
  readonly distribution: string
  /** Folder of PostgreSQL's client programs, where one is installed. */
  readonly postgresBin: string | undefined
}

/** One row of the table of peers. Leaving an operation out, or answering undefined, means that the peer has none. */
export interface Peer {
  readonly name: string
  /** Who syncs what, in one sentence. */
  readonly durability: string
  /** Debian packages that bring it; undefined when Debian has none. */
  readonly debian: string | undefined
  /** Its version and where it was found; undefined when it is absent. */
  find(tools: Tools): FoundProgram | undefined
  backup?(job: BackupJob, tools: Tools): Action | undefined
  restore?(job: RestoreJob, tools: Tools): Action | undefined
  push?(job: WalJob, tools: Tools): Action | undefined
  fetch?(job: WalJob, tools: Tools): Action | undefined
  upload?(job: TransferJob, tools: Tools): Action | undefined
  download?(job: TransferJob, tools: Tools): Action | undefined
  transform?(job: TransformJob, tools: Tools): Action | undefined
  /** Whether it reads only what it has packed itself. */
  readonly ownFormat?: boolean
  /** Whatever shows how long it takes to start, with nothing to do. */
  start?(folder: string, tools: Tools): Action | undefined
}

export interface FoundProgram {
  readonly version: string
  readonly path: string
}

/** A peer of this run: found, or absent. */
export interface SeenPeer {
  readonly peer: Peer
  readonly found: FoundProgram | undefined
}

/** Everything a workload may use. */
export interface Bench {
  readonly options: BenchOptions
  readonly folder: TemporaryFolder
  readonly tools: Tools
  readonly peers: readonly SeenPeer[]
  readonly progress: Progress
  readonly clusters: Clusters
  readonly objectServer: ObjectServer
  /** Aborted when the run is to end early. */
  readonly signal: AbortSignal
}

/** The clusters of a run, each made when it is first asked for. */
export interface Clusters {
  sized(bytes: number): Promise<BenchCluster>
  relations(count: number): Promise<BenchCluster>
  wal(): Promise<WalCluster>
  /** Stops every server, by pid. */
  stop(): Promise<void>
}

/** The S3 server of a run, started when it is first asked for. */
export interface ObjectServer {
  /** @throws Error that says how to install it where it is absent. */
  start(): Promise<Radosgw>
  /** Stops it by pid. */
  stop(): Promise<void>
}

export type WalContent = 'mostly zero' | 'pgbench' | 'random'

/** A stopped cluster with one segment of each kind. */
export interface WalCluster extends BenchCluster {
  readonly segments: Readonly<Record<WalContent, string>>
}

/** What a workload is, in words that targets look for. */
export interface WorkloadFacts {
  readonly suite: string
  readonly operation: string
  readonly codec?: CodecName | StageName
  readonly bytes?: number
  readonly content?: string
  /** One line in the table of its operation instead of a table of its own. */
  readonly compact?: boolean
}

/** One comparison: every cell is run once per round. */
export interface Workload extends WorkloadFacts {
  readonly title: string
  /** Name of the peer that ratios divide by. */
  readonly against: string
  readonly rounds: number
  /** Nothing of it goes to a disk, so that nobody waits for what is dirty before each run. */
  readonly diskless?: boolean
  /** Rounds before those, which do not count. */
  readonly warmUps: number
  /** A guess, for the time left. */
  readonly expectedSeconds: number
  open(bench: Bench): Promise<OpenWorkload>
}

export interface OpenWorkload {
  readonly cells: readonly Cell[]
  /** Whose CPU time counts for the cells as well. */
  readonly server: TestCluster | undefined
  close(): Promise<void> | void
}

export interface Cell {
  readonly peer: string
  readonly action: Action
}

/** One row of the table of suites. */
export interface Suite {
  readonly name: string
  readonly about: string
  /** Runs only when it is named: it needs a server of its own. */
  readonly onlyByName?: boolean
  workloads(options: BenchOptions): readonly Workload[]
}

/** One run of one cell. */
export interface Sample {
  readonly wallMs: number
  /** Of the tree and of the server. */
  readonly cpuMs: number
  readonly serverCpuMs: number
  readonly peakRssBytes: number
  /** The most that was resident above what was when the work began; of programs that report. */
  readonly grownRssBytes?: number
  /** CPU time that neither the cell, its server nor the harness used. */
  readonly foreignCpuMs: number
  /** Load average of one minute when the run began. */
  readonly load: number
}

/** All runs of one cell. */
export interface ResultRow extends WorkloadFacts {
  readonly title: string
  readonly against: string
  readonly peer: string
  readonly samples: readonly Sample[]
  readonly storedBytes: number | undefined
  readonly requests?: string
}

/** What went wrong or was left out, for the reader of the figures. */
export interface Remark {
  readonly workload: string
  readonly peer: string
  readonly text: string
  readonly failure: boolean
}
