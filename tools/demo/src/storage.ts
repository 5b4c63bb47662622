import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { StorageEnvironment } from '@waltz/testkit/servers'
import { folderBytes, type Playground } from './playground.ts'

/** Where the demo can keep its repository. */
export const storageKinds = ['file', 's3', 'azure', 'swift', 'ssh'] as const

export type StorageKind = (typeof storageKinds)[number]

/** The place that the repository of the demo is kept in. */
export interface DemoStorage {
  readonly kind: StorageKind
  /** `a bucket of S3 (radosgw)`. */
  readonly title: string
  /** The settings that waltz finds it by. */
  readonly environment: StorageEnvironment
  /** What a line of progress says about it; empty where asking would take too long. */
  progress(): string
  /** Counts what lies in it. */
  measure(): Promise<StoredSizes>
  /** Ends its server, if it has one, and what the server kept. */
  stop(): Promise<void>
}

/** What a repository came to, in bytes. */
export interface StoredSizes {
  readonly backupBytes: number
  readonly walBytes: number
  readonly walSegments: number
}

interface StoredObject {
  readonly key: string
  readonly bytes: number
}

interface Opened {
  readonly title: string
  readonly environment: StorageEnvironment
  stop(): Promise<void>
}

const SEGMENT = /^wal_005\/[0-9A-F]{24}(\.[a-z0-9]+)?$/

/**
 * Makes an empty repository's place; for all but `file` by a real server of its kind on this machine.
 * @throws Error that says what to install when that server is not at hand.
 */
export async function openStorage(kind: StorageKind, playground: Playground): Promise<DemoStorage> {
  if (kind === 'file') return folderStorage(playground)
  const { title, environment, stop } = await openServer(kind)
  return {
    kind,
    title,
    environment,
    stop,
    progress: () => '',
    measure: async () => {
      const { stdout } = await playground.run(playground.waltz, ['st', 'ls', '-r'], environment)
      return sizesOf(parseListing(stdout))
    },
  }
}

function folderStorage(playground: Playground): DemoStorage {
  const folder = playground.makeFolder('repository')
  const wal = join(folder, 'wal_005')
  return {
    kind: 'file',
    title: 'a folder',
    environment: { WALG_FILE_PREFIX: folder },
    stop: async () => undefined,
    progress: () => `${(folderBytes(folder) / 2 ** 20).toFixed(1)} MiB stored`,
    measure: async () => ({
      backupBytes: folderBytes(join(folder, 'basebackups_005')),
      walBytes: folderBytes(wal),
      walSegments: existsSync(wal) ? readdirSync(wal).filter((name) => SEGMENT.test(`wal_005/${name}`)).length : 0,
    }),
  }
}

/** The servers come from the kit of the tests, which the demo is installed without: so it is loaded by its place, and only here. */
const servers = new URL('../../testkit/src/servers/index.ts', import.meta.url)

async function openServer(kind: Exclude<StorageKind, 'file'>): Promise<Opened> {
  const { sharedKinds, ...environments } = (await import(servers.href)) as typeof import('@waltz/testkit/servers')
  const demand = (name: keyof typeof sharedKinds): void => {
    const missing = sharedKinds[name].missing()
    if (missing.length > 0) throw new Error(`The server for --storage ${kind} is not installed: ${sharedKinds[name].install}`)
  }
  const serve = async <Server extends { stop(): Promise<void> }>(
    title: string,
    server: Server,
    environment: (server: Server) => Promise<StorageEnvironment>,
  ): Promise<Opened> => {
    try {
      return { title, environment: await environment(server), stop: () => server.stop() }
    } catch (error) {
      await server.stop()
      throw error
    }
  }
  switch (kind) {
    case 's3':
      demand('radosgw')
      return serve('a bucket of S3, on radosgw', await sharedKinds.radosgw.start(), (server) => environments.s3Environment(server))
    case 'azure':
      demand('azurite')
      return serve('a container of Azure, on Azurite', await sharedKinds.azurite.start(), (server) => environments.azureEnvironment(server))
    case 'swift':
      demand('swift')
      return serve('a container of Swift', await sharedKinds.swift.start(), (server) => environments.swiftEnvironment(server))
    case 'ssh':
      demand('sshd')
      return serve('a folder reached by SSH', await sharedKinds.sshd.start(), (server) => environments.sshEnvironment(server))
  }
}

/** The lines of `waltz st ls -r`: type, size, time of several words, name. */
function parseListing(text: string): readonly StoredObject[] {
  return text.split('\n').flatMap((line) => {
    const [, bytes, key] = /^obj +(\d+) +.* UTC +(\S+) *$/.exec(line) ?? []
    return bytes === undefined || key === undefined ? [] : [{ key, bytes: Number(bytes) }]
  })
}

function sizesOf(objects: readonly StoredObject[]): StoredSizes {
  const below = (folder: string): readonly StoredObject[] => objects.filter(({ key }) => key.startsWith(folder))
  const total = (some: readonly StoredObject[]): number => some.reduce((sum, { bytes }) => sum + bytes, 0)
  return {
    backupBytes: total(below('basebackups_005/')),
    walBytes: total(below('wal_005/')),
    walSegments: objects.filter(({ key }) => SEGMENT.test(key)).length,
  }
}
