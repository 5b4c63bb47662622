import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { accepts, freePorts } from '@waltz/testkit'

const program = fileURLToPath(new URL('../../../../tools/testkit/node_modules/azurite/dist/src/blob/main.js', import.meta.url))

/** Why there is no Azurite with TLS and tokens; undefined where there is one. */
export function missingForTokens(): string | undefined {
  if (!existsSync(program)) return 'azurite is not installed'
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'openssl is not installed'
  }
}

/** An Azurite that wants HTTPS and takes tokens, behind a certificate that nobody trusts. */
export interface OauthAzurite extends AsyncDisposable {
  readonly endpoint: string
  /** Of the certificate, in PEM form. */
  readonly ca: string
  readonly container: string
}

/** Starts one. It looks at issuer, audience and times of a token, not at its signature. */
export async function startOauthAzurite(): Promise<OauthAzurite> {
  const folder = mkdtempSync(join(tmpdir(), 'waltz-azurite-'))
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const words = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=azurite -addext subjectAltName=IP:127.0.0.1'
  execFileSync('openssl', [...words.split(' '), '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const [port = 0] = await freePorts(1)
  const where = ['--blobHost', '127.0.0.1', '--blobPort', String(port), '--cert', cert, '--key', key, '--oauth', 'basic']
  const how = ['--inMemoryPersistence', '--skipApiVersionCheck', '--disableTelemetry', '--silent']
  const server = spawn(process.execPath, ['--no-deprecation', program, ...where, ...how], { stdio: 'ignore', cwd: folder })
  const stop = async (): Promise<void> => {
    const ended = new Promise((resolve) => server.once('exit', resolve))
    if (server.exitCode === null && server.kill()) await ended
    rmSync(folder, { recursive: true, force: true })
  }
  for (let tries = 0; !(await accepts(port)); tries += 1) {
    if (tries < 300 && server.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 100))
    else {
      await stop()
      throw new Error('azurite did not start')
    }
  }
  const ca = readFileSync(cert, 'utf8')
  const endpoint = `https://127.0.0.1:${port}/devstoreaccount1`
  await makeContainer(`${endpoint}/tokens?restype=container`, ca)
  return { endpoint, ca, container: 'tokens', [Symbol.asyncDispose]: stop }
}

function makeContainer(url: string, ca: string): Promise<void> {
  const headers = { authorization: `Bearer ${madeUpToken()}`, 'x-ms-version': '2021-12-02', 'content-length': '0' }
  return new Promise((resolve, reject) => {
    const call = request(url, { method: 'PUT', ca, headers, agent: false }, (answer) => {
      answer.resume()
      if (answer.statusCode === 201) resolve()
      else reject(new Error(`making the container was answered ${answer.statusCode}`))
    })
    call.on('error', reject).end()
  })
}

/** A token as Azurite believes it: nobody has signed it. */
export function madeUpToken({ endsInSeconds = 3600 }: { readonly endsInSeconds?: number } = {}): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: 'https://sts.windows.net/tenant/', aud: 'https://storage.azure.com', iat: now - 7200, nbf: now - 7200 }
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode({ ...claims, exp: now + endsInSeconds })}.bm8tc2lnbmF0dXJl`
}

/** A FAKE of a machine's metadata service (IMDS), written after its documents: it hands out tokens to whoever asks in the right form. */
export interface MetadataFake extends AsyncDisposable {
  readonly url: string
  /** Queries of the requests for tokens. */
  readonly asked: readonly URLSearchParams[]
  /** What it gives from now on; undefined: it knows no identity. */
  give(token: string | undefined): void
}

/** Starts one. */
export async function startMetadataFake(): Promise<MetadataFake> {
  const asked: URLSearchParams[] = []
  let token: string | undefined = madeUpToken()
  const server = createServer((call, answer) => {
    const { pathname, searchParams } = new URL(call.url ?? '/', 'http://fake')
    const json = (status: number, body: object): void =>
      void answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    // The identity library puts a slash behind the path where the host is not the usual one.
    if (!/^\/metadata\/identity\/oauth2\/token\/?$/.test(pathname)) json(404, {})
    else if (call.headers['metadata'] !== 'true')
      json(400, { error: 'invalid_request', error_description: 'Required metadata header not specified' })
    else {
      asked.push(searchParams)
      const ends = Math.floor(Date.now() / 1000) + 3600
      if (token === undefined) json(400, { error: 'invalid_request', error_description: 'Identity not found' })
      else
        json(200, {
          access_token: token,
          client_id: searchParams.get('client_id') ?? 'client-of-the-machine',
          expires_in: '3600',
          expires_on: String(ends),
          ext_expires_in: '3600',
          not_before: String(ends - 7200),
          resource: searchParams.get('resource'),
          token_type: 'Bearer',
        })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    give: (given) => void (token = given),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
