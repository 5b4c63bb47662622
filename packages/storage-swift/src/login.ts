import { optionsFault, serverFailedFault } from '@waltz/storage'
import { withoutSlash, type Login } from './catalogue.ts'
import { answerFault, header, type ReadAnswer } from './errors.ts'
import { exchange, type Surroundings } from './exchange.ts'
import { readTokenV2, tokenRequestV2 } from './keystone-v2.ts'
import { readTokenV3, tokenRequestV3 } from './keystone-v3.ts'
import type { SwiftAuth } from './options.ts'
import { bufferedBody } from './send-body.ts'

/**
 * Logs in once.
 * @throws Fault `denied` `STORAGE_ACCESS_DENIED` for wrong credentials; `invalid` `STORAGE_OPTIONS_INVALID` when nothing in the
 * catalogue fits; those of the connection.
 */
export async function login(around: Surroundings, auth: SwiftAuth, signal: AbortSignal | undefined): Promise<Login> {
  const version = await findVersion(around, auth, signal)
  if (version === 1) return loginV1(around, auth, signal)
  const url = keystoneUrl(auth, version)
  const request = version === 2 ? tokenRequestV2(auth) : tokenRequestV3(auth)
  const answer = await exchange(around, {
    method: 'POST',
    url: new URL(url),
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: bufferedBody([new TextEncoder().encode(JSON.stringify(request))]),
    doing: `login at ${hostOf(url)}`,
    signal,
  })
  if (answer.status !== 200 && answer.status !== 201) throw loginFault(around, answer, url)
  const document = parseJson(answer.text)
  const granted = version === 2 ? readTokenV2(document, auth) : readTokenV3(document, header(answer, 'x-subject-token'), auth)
  return granted ?? notKeystone(around, url, version)
}

/** TempAuth's and radosgw's own: Swift "Auth System", Ceph "Swift API, Authentication". */
async function loginV1(around: Surroundings, auth: SwiftAuth, signal: AbortSignal | undefined): Promise<Login> {
  const url = auth.url ?? ''
  const answer = await exchange(around, {
    method: 'GET',
    url: new URL(url),
    headers: { 'x-auth-user': auth.user ?? '', 'x-auth-key': auth.password ?? '' },
    doing: `login at ${hostOf(url)}`,
    signal,
  })
  if (answer.status !== 200 && answer.status !== 204) throw loginFault(around, answer, url)
  const token = header(answer, 'x-auth-token')
  const storageUrl = auth.storageUrl ?? header(answer, 'x-storage-url')
  if (token === undefined || storageUrl === undefined || !URL.canParse(storageUrl)) return notKeystone(around, url, 1)
  const seconds = Number(header(answer, 'x-auth-token-expires') ?? Number.NaN)
  const expiresAtMs = Number.isFinite(seconds) ? around.now().getTime() + seconds * 1000 : undefined
  return { token, storageUrl: withoutSlash(storageUrl), expiresAtMs }
}

/** By the setting, the URL, the other settings, and at last by asking. */
async function findVersion(around: Surroundings, auth: SwiftAuth, signal: AbortSignal | undefined): Promise<1 | 2 | 3> {
  if (auth.version !== undefined && auth.version !== 'find') return auth.version
  const url = new URL(auth.url ?? '')
  const [, named] = /(?:^|\/)v?([123])(?:\.\d+)?(?:\/|$)/.exec(url.pathname) ?? []
  if (named !== undefined) return Number(named) as 1 | 2 | 3
  const onlyV3 = [auth.applicationCredential, auth.userDomain, auth.projectDomain, auth.userId, auth.trustId]
  if (onlyV3.some((setting) => setting !== undefined)) return 3
  const answer = await exchange(around, {
    method: 'GET',
    url,
    headers: { accept: 'application/json' },
    doing: `question for the versions of ${url.host}`,
    signal,
  })
  return newestVersion(answer) ?? unknownVersion(around, answer, url)
}

/** Keystone's list of its versions, which comes with status 300. */
function newestVersion({ text }: ReadAnswer): 2 | 3 | undefined {
  const document = parseJson(text) as { readonly versions?: { readonly values?: readonly { readonly id?: string }[] } } | undefined
  const ids = (document?.versions?.values ?? []).map(({ id }) => id ?? '')
  if (ids.some((id) => id.startsWith('v3'))) return 3
  return ids.some((id) => id.startsWith('v2')) ? 2 : undefined
}

function unknownVersion(around: Surroundings, answer: ReadAnswer, url: URL): never {
  if (answer.status >= 500 || answer.status === 429) throw loginFault(around, answer, url.href)
  throw optionsFault(
    `${url.origin}${url.pathname} does not tell which version of authentication it wants`,
    'set OS_AUTH_URL with its version, such as https://keystone.example.org:5000/v3, or ST_AUTH_VERSION',
  )
}

function keystoneUrl({ url = '' }: SwiftAuth, version: 2 | 3): string {
  const base = withoutSlash(new URL(url).origin + new URL(url).pathname)
  const rooted = /\/v\d(?:\.\d+)?$/.test(base) ? base : `${base}/${version === 2 ? 'v2.0' : 'v3'}`
  return `${rooted}/${version === 2 ? 'tokens' : 'auth/tokens'}`
}

function loginFault(around: Surroundings, answer: ReadAnswer, url: string): Error {
  const call = { doing: `login at ${hostOf(url)}`, location: around.location }
  // Here 404 speaks of the URL, not of a container; and Keystone quotes names, never passwords.
  if (answer.status === 404)
    return optionsFault(`there is nothing to log in at ${hostOf(url)}${new URL(url).pathname} (404)`, 'correct OS_AUTH_URL or ST_AUTH')
  return answerFault(answer, call, around.now)
}

function notKeystone(around: Surroundings, url: string, version: number): never {
  throw serverFailedFault({
    doing: `login at ${hostOf(url)}`,
    location: around.location,
    answer: `the answer is not one of authentication version ${version}`,
    hint: 'check OS_AUTH_URL and the version of authentication',
  })
}

function hostOf(url: string): string {
  return new URL(url).host
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the caller says what was expected
  }
}
