import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import {
  base64,
  expectNone,
  linesWith,
  nobody,
  NOBODY,
  ownFile,
  planted,
  printedBy,
  secretsOf,
  strange,
  work,
  type Case,
} from '../storage-secrets.ts'

describe('arguments of processes', () => {
  it('hold none of the secrets, whatever is started', async () => {
    const seen = new Set<string>()
    const looking = setInterval(() => {
      for (const line of argumentsOfAll()) seen.add(line)
    }, 20)
    try {
      const further = Object.fromEntries(nobody.map(({ name, env }) => [name, env]))
      const env = {
        WALG_FILE_PREFIX: work.makeFolder('looked at'),
        WALG_FAILOVER_STORAGES: JSON.stringify(further),
        WALG_DOWNLOAD_CONCURRENCY: '4',
      }
      const segment = ownFile('000000010000000000000001', 'no segment, only bytes')
      await printedBy({ name: '', env }, [
        ['wal-push', '@history'],
        ['wal-push', segment],
        ['wal-fetch', '000000010000000000000001', '@fetched'],
      ])
    } finally {
      clearInterval(looking)
    }
    const text = [...seen].join('\n')
    expect(text).toContain('wal-push')
    expectNone(text, nobody.flatMap(secretsOf))
  })
})

/** What the system tells everybody about processes. */
function argumentsOfAll(): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')]
      } catch {
        return [] // it has ended
      }
    })
}

/** NOT a storage: refuses everything with this status, and quotes the whole request in its answer, as debugging proxies do. */
async function startQuotingServer(status: number): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { code, headers, text } = quoted(request, Buffer.concat(chunks).toString('latin1'), status)
      response.writeHead(code, headers).end(text)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

const STS_TOKEN = planted('StsToken')
const STS_KEY = planted('StsKey')
const OAUTH = planted('OauthToken')

function quoted(
  request: IncomingMessage,
  body: string,
  status: number,
): { readonly code: number; readonly headers: Record<string, string>; readonly text: string } {
  const url = request.url ?? ''
  if (url.startsWith('/sts')) {
    const keys = `<AccessKeyId>AKIA</AccessKeyId><SecretAccessKey>${STS_KEY}</SecretAccessKey><SessionToken>${STS_TOKEN}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>`
    const action = body.includes('WebIdentity') ? 'AssumeRoleWithWebIdentity' : 'AssumeRole'
    return {
      code: 200,
      headers: { 'content-type': 'text/xml' },
      text: `<${action}Response><${action}Result><Credentials>${keys}</Credentials></${action}Result></${action}Response>`,
    }
  }
  if (url.startsWith('/token'))
    return {
      code: 200,
      headers: { 'content-type': 'application/json' },
      text: JSON.stringify({ access_token: OAUTH, expires_in: 3600, token_type: 'Bearer' }),
    }
  const all = `${request.method} ${url} ${JSON.stringify(request.headers)} ${body.slice(0, 4000)}`
  const message = all.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const isJson = url.includes('/storage/v1/') || url.includes('/auth/tokens')
  const text = isJson
    ? JSON.stringify({ error: { code: status, message: all, errors: [{ reason: 'forbidden', message: all }] } })
    : `<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>${message}</Message><StringToSign>${message}</StringToSign><AuthenticationErrorDetail>${message}</AuthenticationErrorDetail></Error>`
  const one = all.replaceAll(/[^\x20-\x7e]/g, ' ').slice(0, 2000)
  return {
    code: status,
    headers: {
      'content-type': isJson ? 'application/json' : 'application/xml',
      'x-ms-error-code': 'AuthenticationFailed',
      'x-trans-id': one,
      'x-amz-request-id': 'r1',
      'www-authenticate': one,
    },
    text,
  }
}

/** The cases of above at this server, and those that fetch what they show. */
function atQuotingServer(url: string): readonly Case[] {
  const moved = [...nobody, ...strange]
    .filter(({ env }) => Object.values(env).some((value) => value.startsWith(NOBODY)))
    .map(({ name, env, secrets }) => {
      const there = Object.entries(env).map(([key, value]) => [key, value.replace(NOBODY, url)] as const)
      const direct = there.filter(([key]) => !key.endsWith('PROXY'))
      return { name, env: Object.fromEntries(direct), ...(secrets === undefined ? {} : { secrets }) }
    })
  const s3 = { WALG_S3_PREFIX: 's3://bucket/r', AWS_ENDPOINT: url, AWS_REGION: 'us-east-1', AWS_S3_FORCE_PATH_STYLE: 'true' }
  const role = { ...s3, AWS_ROLE_ARN: 'arn:aws:iam::1:role/x', WALTZ_S3_STS_ENDPOINT: `${url}/sts` }
  const keys = { AWS_ACCESS_KEY_ID: planted('S3Id'), AWS_SECRET_ACCESS_KEY: planted('S3Key') }
  const token = ownFile('web identity', planted('WebIdentity'))
  return [
    ...moved,
    { name: 's3, a role', env: { ...role, ...keys }, secrets: [STS_TOKEN, STS_KEY] },
    {
      name: 's3, a role by web identity',
      env: { ...role, AWS_WEB_IDENTITY_TOKEN_FILE: token },
      secrets: [STS_TOKEN, STS_KEY, planted('WebIdentity')],
    },
    {
      name: 's3, STS refuses',
      env: { ...role, AWS_WEB_IDENTITY_TOKEN_FILE: token, WALTZ_S3_STS_ENDPOINT: `${url}/refuses` },
      secrets: [planted('WebIdentity')],
    },
    {
      name: 's3, through the proxy',
      env: { ...s3, ...keys, AWS_ENDPOINT: 'http://s3.invalid', WALTZ_HTTP_PROXY: url.replace('//', `//someone:${planted('Proxy')}@`) },
      secrets: [planted('Proxy'), base64(`someone:${planted('Proxy')}`)],
    },
  ]
}

describe.each([403])('secrets at a server that quotes what it was sent and answers %i', (status) => {
  it('are not in what is said of it', async () => {
    const { url, server } = await startQuotingServer(status)
    const shown: string[] = []
    try {
      for (const one of atQuotingServer(url)) {
        const text = await printedBy(one, [
          ['wal-push', '@history'],
          ['st', 'ls', '-r'],
          ['st', 'check', 'write', '--json'],
        ])
        expect(text, one.name).toMatch(/ERROR/)
        shown.push(...linesWith(text, secretsOf(one)).map((line) => `${one.name}: ${line}`))
      }
      expect(shown).toEqual([])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})
