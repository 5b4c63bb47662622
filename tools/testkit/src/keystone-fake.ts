import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  tokenDocumentV2,
  tokenDocumentV3,
  unauthorizedDocument,
  versionsDocument,
  type KeystoneEndpoint,
  type KeystoneGrant,
} from './keystone-fake-documents.ts'
import { swiftSession, type SwiftAccount } from './servers/swift-request.ts'

/** Who may log in at the fake. */
export interface KeystonePeople {
  readonly user: string
  readonly userId: string
  readonly password: string
  readonly project: string
  readonly domain: string
  readonly applicationCredential: { readonly id: string; readonly name: string; readonly secret: string }
}

/**
 * A FAKE of Keystone, OpenStack's login: it answers with documents written after the Identity API v2.0 and v3, and knows one user, one
 * project and one application credential. It proves that Waltz speaks as those documents say, not that a real Keystone agrees. The
 * tokens are real: they come from the Swift server behind, so that the storage accepts them.
 */
export interface KeystoneFake {
  /** Without a version in its path. */
  readonly url: string
  readonly people: KeystonePeople
  readonly regions: readonly string[]
  /** How often somebody asked for a token, with success or not. */
  logins(): number
  /** The next so many logins give a token that the storage refuses, as if it had ended. */
  giveEndedTokens(count: number): void
  close(): Promise<void>
}

/** What a fake is made from. */
export interface KeystoneFakeOptions {
  /** The account whose tokens are handed out. */
  readonly swift: SwiftAccount
  readonly versions?: readonly ('v2.0' | 'v3')[]
  /** How long tokens are said to last. An hour unless given. */
  readonly tokenLifeMs?: number
}

const PEOPLE: KeystonePeople = {
  user: 'archivist',
  userId: 'id-of-archivist',
  password: 'a-password-of-the-fake',
  project: 'backups',
  domain: 'Default',
  applicationCredential: { id: 'credential-1', name: 'writer', secret: 'a-secret-of-the-fake' },
}
const REGIONS = ['north', 'south'] as const
const HOUR_MS = 3_600_000

/** Starts the fake on a free port of the loopback address. */
export async function createKeystoneFake(options: KeystoneFakeOptions): Promise<KeystoneFake> {
  const { swift, versions = ['v2.0', 'v3'], tokenLifeMs = HOUR_MS } = options
  let logins = 0
  let ended = 0
  const grant = async (methods: readonly string[]): Promise<KeystoneGrant> => {
    const { storageUrl, token } = await swiftSession(swift)
    const issuedAt = new Date()
    const given = ended > 0 ? 'gAAAAABended-token-of-the-fake' : token
    ended = Math.max(0, ended - 1)
    const { user, project } = PEOPLE
    const expiresAt = new Date(issuedAt.getTime() + tokenLifeMs)
    return { user, project, token: given, issuedAt, expiresAt, endpoints: endpointsOf(storageUrl), methods }
  }
  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const path = new URL(request.url ?? '/', 'http://fake').pathname
    if (request.method === 'GET' && path === '/')
      return { status: 300, document: versionsDocument(`http://${request.headers.host}`, versions) }
    const version = path === '/v3/auth/tokens' ? 'v3' : path === '/v2.0/tokens' ? 'v2.0' : undefined
    if (request.method !== 'POST' || version === undefined || !versions.includes(version)) return { status: 404, document: {} }
    logins += 1
    const asked = (await readJson(request)) as LoginRequest
    const methods = version === 'v3' ? acceptedV3(asked) : acceptedV2(asked)
    if (methods === undefined) return { status: 401, document: unauthorizedDocument }
    const granted = await grant(methods)
    return version === 'v3'
      ? { status: 201, document: tokenDocumentV3(granted), headers: { 'x-subject-token': granted.token } }
      : { status: 200, document: tokenDocumentV2(granted) }
  }
  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, document, headers = {} }) =>
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(document)),
      () => response.writeHead(500).end(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    people: PEOPLE,
    regions: REGIONS,
    logins: () => logins,
    giveEndedTokens: (count) => void (ended = count),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

interface Answer {
  readonly status: number
  readonly document: unknown
  readonly headers?: Readonly<Record<string, string>>
}

interface Named {
  readonly id?: string
  readonly name?: string
}

interface LoginRequest {
  readonly auth?: {
    readonly tenantName?: string
    readonly tenantId?: string
    readonly passwordCredentials?: { readonly username?: string; readonly password?: string }
    readonly scope?: { readonly project?: Named & { readonly domain?: Named } }
    readonly identity?: {
      readonly methods?: readonly string[]
      readonly password?: { readonly user?: Named & { readonly domain?: Named; readonly password?: string } }
      readonly application_credential?: Named & { readonly secret?: string; readonly user?: Named & { readonly domain?: Named } }
    }
  }
}

/** The real storage stands in the second region; the first leads nowhere, so that a wrong choice shows. */
function endpointsOf(storageUrl: string): readonly KeystoneEndpoint[] {
  const kinds = ['admin', 'internal', 'public'] as const
  return REGIONS.flatMap((region) =>
    kinds.map((kind) => ({
      region,
      interface: kind,
      url: region === 'south' && kind !== 'admin' ? `${storageUrl}/` : `http://${kind}.${region}.invalid/v1/AUTH_x`,
    })),
  )
}

function acceptedV2({ auth }: LoginRequest): readonly string[] | undefined {
  const { username, password } = auth?.passwordCredentials ?? {}
  const project = auth?.tenantName === PEOPLE.project || auth?.tenantId === `id-of-${PEOPLE.project}`
  return username === PEOPLE.user && password === PEOPLE.password && project ? ['password'] : undefined
}

function acceptedV3({ auth }: LoginRequest): readonly string[] | undefined {
  const method = auth?.identity?.methods?.[0]
  if (method === 'application_credential') {
    const given = auth?.identity?.application_credential
    const { id, name, secret } = PEOPLE.applicationCredential
    const known = given?.id === id || (given?.name === name && isUser(given.user))
    // A scope beside it is an error: the credential brings its own.
    return known && given?.secret === secret && auth?.scope === undefined ? [method] : undefined
  }
  const user = auth?.identity?.password?.user
  const project = auth?.scope?.project
  const scoped = project?.id === `id-of-${PEOPLE.project}` || (project?.name === PEOPLE.project && isDomain(project.domain))
  return method === 'password' && isUser(user) && user?.password === PEOPLE.password && scoped ? [method] : undefined
}

function isUser(user: (Named & { readonly domain?: Named }) | undefined): boolean {
  return user?.id === PEOPLE.userId || (user?.name === PEOPLE.user && isDomain(user.domain))
}

function isDomain(domain: Named | undefined): boolean {
  return domain?.id === 'default' || domain?.name === PEOPLE.domain
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}
