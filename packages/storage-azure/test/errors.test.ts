import { describe, expect, it } from 'vitest'
import { isFault, type Fault } from '@waltz/errors'
import { sourceOf } from '@waltz/bytes'
import { createAzureStore, type AzureStoreOptions } from '@waltz/storage-azure'
import { azureError, startFakeService, type GivenAnswer } from './support/fake-service.ts'
import { azureOptions } from './support/store.ts'

const SECRET = Buffer.from('a very secret account key').toString('base64')
const SIGNATURE = 'c2VjcmV0c2lnbmF0dXJl'
const once = { maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0, random: () => 0, sleep: async () => undefined }

async function faultFrom(
  answer: GivenAnswer,
  options: Partial<AzureStoreOptions> = {},
  call: 'head' | 'put' | 'delete' | 'list' = 'put',
): Promise<Fault> {
  await using service = await startFakeService(() => answer)
  await using store = createAzureStore(
    azureOptions({
      endpoint: service.endpoint,
      account: 'account',
      credentials: { kind: 'account-key', accountKey: SECRET },
      retry: once,
      ...options,
    }),
  )
  const calls = {
    head: () => store.head('a/key'),
    put: () => store.put('a/key', sourceOf('x')),
    delete: () => store.delete(['a/key']),
    list: () => Array.fromAsync(store.list('a/')),
  }
  const error: unknown = await calls[call]().then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!isFault(error)) throw new Error(`no fault: ${String(error)}`, { cause: error })
  expect(printed(error)).not.toMatch(
    new RegExp([SECRET, SIGNATURE, 'SharedKey ', 'sig=c2'].map((text) => text.replaceAll(/[^\w]/g, String.raw`\$&`)).join('|')),
  )
  return error
}

function printed(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error)
  return Object.getOwnPropertyNames(error)
    .map((name) => `${name}: ${printed((error as any)[name])}`)
    .join('\n')
}

describe('what Azure answers', () => {
  it.each([
    [403, 'AuthenticationFailed', 'denied', 'STORAGE_ACCESS_DENIED', /account name and its key/],
    [403, 'AuthorizationPermissionMismatch', 'denied', 'STORAGE_ACCESS_DENIED', /lacks a right/],
    [403, 'AuthorizationFailure', 'denied', 'STORAGE_ACCESS_DENIED', /firewall/],
    [403, 'AuthorizationProtocolMismatch', 'denied', 'STORAGE_ACCESS_DENIED', /HTTPS/],
    [403, 'AccountIsDisabled', 'denied', 'STORAGE_ACCESS_DENIED', /portal/],
    [401, 'NoAuthenticationInformation', 'denied', 'STORAGE_ACCESS_DENIED', /credentials/],
    [409, 'PublicAccessNotPermitted', 'denied', 'STORAGE_ACCESS_DENIED', /credentials/],
    [404, 'ContainerNotFound', 'unavailable', 'STORAGE_BUCKET_MISSING', /container/],
    [409, 'ContainerBeingDeleted', 'unavailable', 'STORAGE_BUCKET_MISSING', /container/],
    [404, 'ResourceNotFound', 'invalid', 'STORAGE_REQUEST_REFUSED', /endpoint/],
    [409, 'BlobImmutableDueToPolicy', 'denied', 'STORAGE_RETENTION_LOCKED', /retention/],
    [412, 'LeaseIdMissing', 'conflict', 'AZURE_BLOB_LEASED', /lease/],
    [409, 'BlobArchived', 'unavailable', 'AZURE_BLOB_ARCHIVED', /rehydrate/],
    [400, 'Md5Mismatch', 'corrupt', 'STORAGE_CHECKSUM_MISMATCH', /bytes/],
    [400, 'InvalidHeaderValue', 'invalid', 'STORAGE_REQUEST_REFUSED', /setting/],
    [500, 'InternalError', 'unavailable', 'STORAGE_SERVER_FAILED', /later/],
    [500, 'OperationTimedOut', 'unavailable', 'STORAGE_SERVER_FAILED', /later/],
    [503, 'ServerBusy', 'unavailable', 'STORAGE_THROTTLED', /concurrency/],
    [507, 'InsufficientStorage', 'unavailable', 'STORAGE_QUOTA_EXCEEDED', /space/],
  ])('%i %s is %s %s', async (status, code, kind, faultCode, hint) => {
    const fault = await faultFrom(azureError(status, code))
    expect([fault.kind, fault.code]).toEqual([kind, faultCode])
    expect(fault.hint).toMatch(hint)
    expect(fault.message).toContain(code)
  })

  it('tells what a busy service asks for', async () => {
    const fault = await faultFrom(azureError(503, 'ServerBusy', { 'retry-after': '7' }))
    expect(fault.context['retryAfterMs']).toBe(7000)
  })

  it('tells a missing object from everything else that is called 404', async () => {
    expect((await faultFrom(azureError(404, 'BlobNotFound'), {}, 'head')).kind).toBe('not-found')
    expect((await faultFrom(azureError(404, 'ContainerNotFound'), {}, 'head')).kind).toBe('unavailable')
    expect((await faultFrom(azureError(404, 'ContainerNotFound'), {}, 'delete')).kind).toBe('unavailable')
    expect((await faultFrom({ status: 404, body: '<html>nginx</html>' }, {}, 'head')).kind).toBe('invalid')
    expect((await faultFrom({ status: 404 }, {}, 'delete')).kind).toBe('invalid')
    expect((await faultFrom(azureError(404, 'BlobNotFound'), {}, 'list')).kind).toBe('invalid')
  })

  it('finds the clock by the date of the answer, and by what Azure says of it', async () => {
    const late = await faultFrom(azureError(403, 'AuthenticationFailed', { date: 'Sat, 01 Jan 2000 00:00:00 GMT' }), {}, 'head')
    const said = await faultFrom(azureError(403, 'AuthenticationFailed', { detail: 'Request date header too old' }))
    expect([late.code, said.code]).toEqual(['STORAGE_CLOCK_SKEWED', 'STORAGE_CLOCK_SKEWED'])
  })

  it('says when a SAS token has expired, and never its signature', async () => {
    const sasToken = `?sv=2021-12-02&se=2020-01-01T00%3A00%3A00Z&sp=r&sig=${SIGNATURE}`
    const fault = await faultFrom(azureError(403, 'AuthenticationFailed', { detail: `Signature did not match sig=${SIGNATURE}` }), {
      credentials: { kind: 'sas', sasToken },
    })
    expect(fault.hint).toContain('expired at 2020-01-01')
  })

  it('takes a page that is no XML for a failure of the service', async () => {
    const fault = await faultFrom(
      { status: 200, headers: { 'content-type': 'application/xml' }, body: '<EnumerationResults><Blobs>' },
      {},
      'list',
    )
    expect(['STORAGE_SERVER_FAILED', 'STORAGE_UNREACHABLE']).toContain(fault.code)
    expect(fault.retryable).toBe(true)
  })

  it('is unreachable where nobody listens', async () => {
    await using store = createAzureStore(azureOptions({ endpoint: 'http://127.0.0.1:1/account', retry: once }))
    await expect(store.head('x')).rejects.toMatchObject({ kind: 'unavailable', code: 'STORAGE_UNREACHABLE' })
  })
})
