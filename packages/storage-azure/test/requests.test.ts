import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { sourceOf } from '@waltz/bytes'
import { createAzureStore } from '@waltz/storage-azure'
import { startFakeService } from './support/fake-service.ts'
import { azureOptions, sleep } from './support/store.ts'

const HEADERS = { etag: '"0x1"', 'last-modified': 'Sat, 01 Nov 2025 00:00:00 GMT' }
const STORED = { status: 201, headers: HEADERS }
const FOUND = { status: 200, headers: HEADERS }

it('sends MD5, the version that it is told, and what it is called', async () => {
  await using service = await startFakeService(() => STORED)
  await using store = createAzureStore(azureOptions({ endpoint: service.endpoint, account: 'account', apiVersion: '2020-10-02' }))
  await store.put('folder/a b', sourceOf('hello'), { contentType: 'text/plain' })
  const [{ path, headers, body } = {} as any] = service.seen
  expect(path).toBe('/account/container/folder/a%20b')
  expect(String(body)).toBe('hello')
  expect(headers['content-md5']).toBe(createHash('md5').update('hello').digest('base64'))
  expect(headers['x-ms-version']).toBe('2020-10-02')
  expect(headers['x-ms-blob-content-type']).toBe('text/plain')
  expect(headers['user-agent']).toMatch(/^waltz /)
  expect(headers.authorization).toMatch(/^SharedKey devstoreaccount1|^SharedKey account:/)
})

it('makes each request once', async () => {
  await using service = await startFakeService(() => ({ status: 500 }))
  await using store = createAzureStore(azureOptions({ endpoint: service.endpoint, account: 'account' }))
  await expect(store.head('x')).rejects.toMatchObject({ code: 'STORAGE_SERVER_FAILED' })
  expect(service.seen.length).toBe(1)
})

it('takes no proxy from the environment, and the one that it is given', async () => {
  await using service = await startFakeService(() => FOUND)
  await using proxy = await startFakeService(() => FOUND)
  const before = process.env['HTTP_PROXY']
  process.env['HTTP_PROXY'] = 'http://127.0.0.1:1'
  try {
    await using direct = createAzureStore(azureOptions({ endpoint: service.endpoint, account: 'account' }))
    await direct.head('x')
    await using through = createAzureStore(
      azureOptions({ endpoint: 'http://storage.invalid/account', account: 'account', proxy: new URL(proxy.endpoint).origin }),
    )
    await through.head('x')
    await using past = createAzureStore(
      azureOptions({ endpoint: service.endpoint, account: 'account', proxy: 'http://127.0.0.1:1', noProxy: '127.0.0.1' }),
    )
    await past.head('x')
  } finally {
    if (before === undefined) delete process.env['HTTP_PROXY']
    else process.env['HTTP_PROXY'] = before
  }
  expect([service.seen.length, proxy.seen.length]).toEqual([2, 1])
  expect(proxy.seen[0]?.path).toBe('http://storage.invalid/account/container/x')
})

it('gives a try up after its time, bytes moving or not', async () => {
  await using service = await startFakeService(async () => {
    await sleep(2000)
    return STORED
  })
  await using store = createAzureStore(
    azureOptions({
      endpoint: service.endpoint,
      account: 'account',
      tryTimeoutMs: 100,
      retry: { maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0, random: () => 0, sleep },
    }),
  )
  await expect(store.put('x', sourceOf('x'))).rejects.toMatchObject({ kind: 'unavailable', code: 'STORAGE_STALLED' })
})

it('checks a download against the sum of the blob or of the range', async () => {
  const bytes = Buffer.from('0123456789')
  const md5 = createHash('md5').update('0123456780').digest('base64')
  await using service = await startFakeService(({ headers }) =>
    headers['x-ms-range'] === undefined
      ? { status: 200, headers: { ...HEADERS, 'content-md5': md5 }, body: bytes }
      : { status: 206, headers: { ...HEADERS, 'content-md5': md5, 'content-range': 'bytes 0-4/10' }, body: bytes.subarray(0, 5) },
  )
  await using store = createAzureStore(azureOptions({ endpoint: service.endpoint, account: 'account' }))
  for (const options of [{}, { range: { start: 0, end: 5 } }]) {
    const seen: unknown[] = []
    const read = async (): Promise<void> => {
      for await (const chunk of await store.get('x', options)) seen.push(chunk)
    }
    await expect(read()).rejects.toMatchObject({ kind: 'corrupt', code: 'STORAGE_CHECKSUM_MISMATCH', retryable: true })
    expect(seen).toEqual([])
  }
  expect(service.seen[1]?.headers['x-ms-range-get-content-md5']).toBe('true')
})

it('cannot be used after it was disposed of', async () => {
  const store = createAzureStore(azureOptions())
  await store[Symbol.asyncDispose]()
  await store[Symbol.asyncDispose]()
  await expect(store.head('x')).rejects.toMatchObject({ code: 'AZURE_STORE_CLOSED' })
})
