import { programExists } from '../binaries.ts'
import type { ServerHome } from './server-home.ts'
import { freePorts } from './sockets.ts'
import { logsOf, startServer, type ServerFacts, type ServerOwner, type ServerUse } from './start-server.ts'
import { encodeSwiftRing } from './swift-ring.ts'
import { createSwiftContainer, type SwiftAccount } from './swift-request.ts'

/** What a client needs to know of Debian's Swift: the first kind of authentication, large objects of both kinds, bulk requests. */
export interface SwiftFacts extends ServerFacts, SwiftAccount {
  readonly endpoint: string
  /** A user of the same account who may only do what a container's access lists say. */
  readonly restricted: SwiftAccount
}

/** A Swift to work with. */
export interface Swift extends SwiftFacts, ServerUse {
  /** Makes a container of a random name (or the given one) and returns the name. */
  createContainer(name?: string): Promise<string>
}

const SERVICES = ['account', 'container', 'object'] as const
const PROGRAMS = ['memcached', 'swift-account-server', 'swift-container-server', 'swift-object-server', 'swift-proxy-server']
const FILTERS = ['catch_errors', 'gatekeeper', 'healthcheck', 'cache', 'listing_formats', 'bulk', 'tempauth', 'copy', 'slo', 'dlo']
const LATER_FILTERS = ['versioned_writes', 'symlink']

/** Programs that are missing for it. */
export function missingForSwift(): readonly string[] {
  return PROGRAMS.filter((name) => !programExists(`/usr/bin/${name}`))
}

/** Starts memcached and the four servers of Swift. @throws Error with the logs when they do not start. */
export async function startSwift(): Promise<Swift & ServerOwner> {
  const { facts, owner } = await startServer('swift', build)
  return { ...useSwift(facts), ...owner }
}

/** Adds to the facts what can be done by them. */
export function useSwift(facts: SwiftFacts): Swift {
  return { ...facts, logs: () => logsOf(facts), createContainer: (name) => createSwiftContainer(facts, name) }
}

async function build(home: ServerHome): Promise<SwiftFacts> {
  const [proxyPort = 0, cachePort = 0, ...servicePorts] = await freePorts(5)
  home.makeFolder('devices/d1')
  home.write('swift.conf', '[swift-hash]\nswift_hash_path_suffix = waltz\nswift_hash_path_prefix = waltz\n')
  const cache = home.start('memcached', '/usr/bin/memcached', ['-l', '127.0.0.1', '-p', String(cachePort), '-m', '32'])
  const common = `swift_dir = ${home.path}\nbind_ip = 127.0.0.1\nworkers = 0\nlog_level = WARNING\n`
  const services = SERVICES.map((name, index) => {
    const port = servicePorts[index] ?? 0
    home.write(`${name}.ring.gz`, encodeSwiftRing(port, 'd1'))
    return { name, port, process: startService(home, { name, configuration: serviceConfiguration(home, { name, port, common }) }) }
  })
  const proxy = startService(home, { name: 'proxy', configuration: proxyConfiguration({ proxyPort, cachePort, common }) })
  const listening = [...services, { port: proxyPort, process: proxy }, { port: cachePort, process: cache }]
  for (const { port, process } of listening) await home.until(process.name, () => process.listensOn(port))
  const endpoint = `http://127.0.0.1:${proxyPort}`
  const facts: SwiftFacts = {
    folder: home.path,
    pids: listening.map(({ process }) => process.pid),
    ports: listening.map(({ port }) => port),
    endpoint,
    authUrl: `${endpoint}/auth/v1.0`,
    user: 'test:tester',
    key: 'testing',
    restricted: { authUrl: `${endpoint}/auth/v1.0`, user: 'test:restricted', key: 'restricting' },
  }
  await home.until('a first container', async () => makesContainer(facts))
  return facts
}

/** The account is made by the first request; whoever comes next finds everything warm. */
async function makesContainer(facts: SwiftFacts): Promise<boolean> {
  try {
    await createSwiftContainer(facts, 'first')
    return true
  } catch {
    return false
  }
}

function startService(home: ServerHome, { name, configuration }: { name: string; configuration: string }): ReturnType<ServerHome['start']> {
  return home.start(`swift-${name}`, `/usr/bin/swift-${name}-server`, [home.write(`${name}.conf`, configuration)])
}

function serviceConfiguration(
  home: ServerHome,
  { name, port, common }: { readonly name: string; readonly port: number; readonly common: string },
): string {
  return `[DEFAULT]
${common}bind_port = ${port}
devices = ${home.path}/devices
mount_check = false
fallocate_reserve = 0
[pipeline:main]
pipeline = ${name}-server
[app:${name}-server]
use = egg:swift#${name}
allow_versions = True
`
}

function proxyConfiguration({ proxyPort, cachePort, common }: { proxyPort: number; cachePort: number; common: string }): string {
  const options: Readonly<Record<string, string>> = {
    tempauth: 'user_test_tester = testing .admin\nuser_test_restricted = restricting\n',
    cache: `memcache_servers = 127.0.0.1:${cachePort}\n`,
    versioned_writes: 'allow_object_versioning = true\n',
  }
  const filters = [...FILTERS, ...LATER_FILTERS]
  const factory = (name: string): string => (name === 'cache' ? 'memcache' : name)
  return `[DEFAULT]
${common}bind_port = ${proxyPort}
[pipeline:main]
pipeline = ${filters.join(' ')} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
${filters.map((name) => `[filter:${name}]\nuse = egg:swift#${factory(name)}\n${options[name] ?? ''}`).join('')}`
}
