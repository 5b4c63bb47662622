import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { createCodecRegistry } from '@waltz/codecs'
import { abortedFault } from '@waltz/errors'
import { crc32c, formatLsn, type Lsn } from '@waltz/pg-structures'
import { createSealedFormat, type SealedFormat } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import type { PushEvent, PushRequest, PushSurroundings, SqlConnection } from '../../src/index.ts'
import type { BackupShape } from '../interop/backup-shape.ts'

export const SYSTEM_IDENTIFIER = 7_402_951_873_649_102_847n
const MIB = 1_048_576n

/** A folder that is removed by `dispose`. */
export function scratch(): { readonly path: string; plant(name: string, content: string | Uint8Array): string; dispose(): void } {
  const path = mkdtempSync(join(tmpdir(), 'waltz-push-'))
  return {
    path,
    plant(name, content) {
      const at = join(path, name)
      mkdirSync(dirname(at), { recursive: true })
      writeFileSync(at, content)
      return at
    },
    dispose: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** A pg_control as PostgreSQL 17 writes it, of this cluster. */
export function controlFile(systemIdentifier: bigint = SYSTEM_IDENTIFIER): Buffer {
  const recorded = gunzipSync(readFileSync(new URL('../fixtures/shapes/tablespaces.json.gz', import.meta.url))).toString()
  const members = (JSON.parse(recorded) as BackupShape).parts.flatMap((part) => part.members)
  const bytes = Buffer.from(members.find((member) => member.name === '/global/pg_control')?.content ?? '', 'base64')
  bytes.writeBigUInt64LE(systemIdentifier, 0)
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 288)), 288)
  return bytes
}

/** Makes the least that is a data directory, and what else is named. */
export function plantCluster(folder: ReturnType<typeof scratch>, files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const wanted = { PG_VERSION: '17\n', 'global/pg_control': controlFile(), 'base/5/16384': Buffer.alloc(8192, 7), ...files }
  for (const [name, content] of Object.entries(wanted)) folder.plant(`data/${name}`, content)
  return join(folder.path, 'data')
}

/** What a scripted server answers. */
export interface ScriptedServer {
  serverVersion: number
  dataDirectory: string
  systemIdentifier: bigint
  inRecovery: boolean
  timeline: number
  /** Of the minimum recovery point; that of the checkpoint unless given. */
  replayTimeline: number | undefined
  walSegmentBytes: bigint
  startLsn: bigint
  finishLsn: bigint
  replayed: bigint
  /** The position in the label; that of the start unless given. */
  labelLsn: bigint | undefined
  labelTimeline: number | undefined
  /** Called before each answer; may wait, throw, or change the server. */
  before: (text: string) => void | Promise<void>
  /** Everything that was asked. */
  readonly asked: string[]
  readonly connections: { closed: boolean; lose(cause: unknown): void }[]
  connect(database?: string): Promise<SqlConnection>
}

/** A server that answers what the engine asks from the fields of this object. */
export function scriptedServer(given: Partial<ScriptedServer> & { readonly dataDirectory: string }): ScriptedServer {
  const server: ScriptedServer = {
    serverVersion: 170_004,
    systemIdentifier: SYSTEM_IDENTIFIER,
    inRecovery: false,
    timeline: 1,
    replayTimeline: undefined,
    walSegmentBytes: 16n * MIB,
    startLsn: 32n * MIB + 40n,
    finishLsn: 32n * MIB + 312n,
    replayed: 0n,
    labelLsn: undefined,
    labelTimeline: undefined,
    before: () => undefined,
    asked: [],
    connections: [],
    async connect() {
      let lost: ((cause: unknown) => void) | undefined
      const connection = { closed: false, lose: (cause: unknown) => lost?.(cause) }
      server.connections.push(connection)
      return {
        async query(text) {
          server.asked.push(text)
          await server.before(text)
          return answer(server, text)
        },
        onLost: (callback) => void (lost = callback),
        close: async () => void (connection.closed = true),
      }
    },
    ...given,
  }
  return server
}

function answer(server: ScriptedServer, text: string): Record<string, string | null>[] {
  if (text.includes("current_setting('server_version')")) return [{ version: String(server.serverVersion), name: 'scripted' }]
  if (text.includes('pg_control_system')) {
    return [
      {
        system_identifier: String(BigInt.asIntN(64, server.systemIdentifier)),
        data_directory: server.dataDirectory,
        in_recovery: String(server.inRecovery),
        timeline: String(server.timeline),
        wal_segment_bytes: String(server.walSegmentBytes),
        data_checksums: 'on',
        archive_mode: 'on',
        archive_command: 'x',
        archive_library: '',
      },
    ]
  }
  if (/pg_(?:start_backup|backup_start)/.test(text)) return [{ lsn: formatLsn(server.startLsn as Lsn) }]
  if (/pg_(?:stop_backup|backup_stop)/.test(text))
    return [{ lsn: formatLsn(server.finishLsn as Lsn), labelfile: label(server), spcmapfile: '' }]
  if (text.includes('pg_control_recovery')) {
    return [{ checkpoint: String(server.timeline), replayed: String(server.replayTimeline ?? server.timeline) }]
  }
  if (text.includes('pg_last_wal_replay_lsn')) return [{ lsn: formatLsn(server.replayed as Lsn) }]
  if (text.includes('pg_is_in_recovery')) return [{ in_recovery: String(server.inRecovery) }]
  return []
}

function label({ startLsn, labelLsn = startLsn, timeline, labelTimeline = timeline }: ScriptedServer): string {
  const at = formatLsn(labelLsn as Lsn)
  return `START WAL LOCATION: ${at} (file 000000010000000000000002)\nCHECKPOINT LOCATION: ${at}\nBACKUP METHOD: streamed\nSTART TIMELINE: ${labelTimeline}\n`
}

/** A time that moves only when somebody sleeps, or forever stands still in sleeps that nobody wakes. */
export function fakeTime(): { now: () => Date; sleep: (ms: number, signal?: AbortSignal) => Promise<void>; readonly slept: number[] } {
  let ms = Date.parse('2026-03-01T12:00:00Z')
  const slept: number[] = []
  return {
    slept,
    now: () => new Date(ms),
    async sleep(waitMs, signal) {
      if (signal?.aborted === true) throw abortedFault(signal)
      // The renewals of the lease belong to nobody's turn: they sleep until they are told to end.
      if (waitMs >= 60_000) return await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(abortedFault(signal))))
      slept.push(waitMs)
      ms += waitMs
      await new Promise((wake) => setImmediate(wake))
    },
  }
}

let plain: Promise<SealedFormat> | undefined

/** Objects as they are, without compression. */
export function plainFormat(): Promise<SealedFormat> {
  const registry = createCodecRegistry()
  return (plain ??= registry.byName('none').then((codec) => createSealedFormat({ codec, registry })))
}

/** Surroundings with a memory store and a scripted server; events are kept. */
export async function surroundings(
  server: Pick<ScriptedServer, 'connect'>,
  spoolFolder: string,
  given: Partial<PushSurroundings> = {},
): Promise<PushSurroundings & { readonly events: PushEvent[]; readonly store: ObjectStore }> {
  const time = fakeTime()
  const events: PushEvent[] = []
  let random = 0
  return {
    store: createMemoryStore({ now: time.now }),
    format: await plainFormat(),
    connect: (database) => server.connect(database),
    wal: { admit: async () => undefined, ensure: async () => ({ pushed: [], present: [], pending: [] }) },
    now: time.now,
    sleep: time.sleep,
    offsetMinutesAt: () => 0,
    randomHex: (digits) => String((random += 1)).padStart(digits, '0'),
    hostname: 'db1',
    processId: 4711,
    spoolFolder,
    observe: (event) => events.push(event),
    tool: { name: 'waltz', version: 'test' },
    ...given,
    events,
  }
}

export function request(dataDirectory: string, given: Partial<PushRequest> = {}): PushRequest {
  return {
    dataDirectory,
    permanent: false,
    userData: undefined,
    withoutFilesMetadata: false,
    databaseNames: false,
    verifyPages: false,
    storeAllCorruptBlocks: false,
    corruptPages: 'report',
    thresholdBytes: 1_073_741_823,
    lanes: 1,
    uploadQueue: 2,
    stopTimeoutMs: 0,
    aliveCheckIntervalMs: 0,
    estimate: false,
    ...given,
  }
}

/** All keys of a store below a prefix. */
export async function keysOf(store: ObjectStore, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(prefix)) keys.push(key)
  return keys
}

/** Everything that a source yields, as one buffer. */
export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** How many descriptors this process holds that lead to `pattern`. */
export async function openDescriptors(pattern: RegExp): Promise<number> {
  const { readdirSync, readlinkSync } = await import('node:fs')
  return readdirSync('/proc/self/fd').filter((name) => {
    try {
      return pattern.test(readlinkSync(`/proc/self/fd/${name}`))
    } catch {
      return false
    }
  }).length
}
