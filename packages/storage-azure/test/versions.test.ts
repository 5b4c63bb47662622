import { expect, it } from 'vitest'
import { lockOf } from '@waltz/storage'
import { createAzureStore } from '@waltz/storage-azure'
import { azureError, startFakeService, type GivenAnswer, type SeenRequest } from './support/fake-service.ts'
import { azureOptions } from './support/store.ts'

interface Version {
  readonly name: string
  readonly id: string
  readonly current?: boolean
}

/** Azurite keeps no versions: this is what Azure's documents say of them. */
function versioned(versions: Version[]): (request: SeenRequest) => GivenAnswer {
  return ({ method, path }) => {
    const url = new URL(path, 'http://x')
    const name = decodeURIComponent(url.pathname.split('/').slice(3).join('/'))
    const id = url.searchParams.get('versionid')
    if (method === 'GET') {
      const prefix = url.searchParams.get('prefix') ?? ''
      return {
        status: 200,
        headers: { 'content-type': 'application/xml' },
        body: page(versions.filter((version) => version.name.startsWith(prefix))),
      }
    }
    const at = versions.findIndex((version) => version.name === name && (id === null ? version.current === true : version.id === id))
    const found = versions[at]
    if (found === undefined) return azureError(404, 'BlobNotFound')
    if (id === null) versions[at] = { name, id: found.id }
    else if (found.current === true) return azureError(403, 'OperationNotAllowedOnRootBlob')
    else versions.splice(at, 1)
    return { status: 202 }
  }
}

function page(versions: readonly Version[]): string {
  const blobs = versions.map(
    ({ name, id, current }) =>
      `<Blob><Name>${name}</Name><VersionId>${id}</VersionId>${current === true ? '<IsCurrentVersion>true</IsCurrentVersion>' : ''}<Properties><Last-Modified>Sat, 01 Nov 2025 00:00:00 GMT</Last-Modified><Etag>0x${id}</Etag><Content-Length>5</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>`,
  )
  return `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://x/" ContainerName="container"><Blobs>${blobs.join('')}</Blobs><NextMarker /></EnumerationResults>`
}

const stored = (): Version[] => [
  { name: 'a', id: '1' },
  { name: 'a', id: '2', current: true },
  { name: 'ab', id: '3', current: true },
  { name: 'b', id: '4' },
  { name: 'b', id: '5' },
]

it('lists versions, the newest of each key first', async () => {
  await using service = await startFakeService(versioned(stored()))
  await using store = createAzureStore(azureOptions({ endpoint: service.endpoint, account: 'account' }))
  const listed = await Array.fromAsync(store.maintenance.versions(''))
  expect(listed.map(({ key, versionId, latest }) => `${key} ${versionId} ${latest}`)).toEqual([
    'a 2 true',
    'a 1 false',
    'ab 3 true',
    'b 5 false',
    'b 4 false',
  ])
})

it('deletes an object with all of its versions, and no other', async () => {
  const versions = stored()
  await using service = await startFakeService(versioned(versions))
  await using store = createAzureStore(azureOptions({ endpoint: service.endpoint, account: 'account' }))
  await store.delete(['a', 'b'])
  expect(versions.map(({ name, id }) => name + id)).toEqual(['ab3'])
})

it('leaves old versions where it is told to', async () => {
  const versions = stored()
  await using service = await startFakeService(versioned(versions))
  await using store = createAzureStore(azureOptions({ endpoint: service.endpoint, account: 'account', removeVersions: false }))
  await store.delete(['a'])
  expect(versions.map(({ name, id }) => name + id)).toEqual(['a1', 'a2', 'ab3', 'b4', 'b5'])
})

it('deletes single versions, the current one too', async () => {
  const versions = stored()
  await using service = await startFakeService(versioned(versions))
  await using store = createAzureStore(azureOptions({ endpoint: service.endpoint, account: 'account' }))
  await store.maintenance.deleteVersions([
    { key: 'a', versionId: '2' },
    { key: 'b', versionId: '4' },
    { key: 'b', versionId: 'gone' },
  ])
  expect(versions.map(({ name, id }) => name + id)).toEqual(['a1', 'ab3', 'b5'])
})

it('asks for versions once where the account keeps none', async () => {
  const present = new Set(['a', 'b', 'c'])
  await using service = await startFakeService(({ method, path }) => {
    if (method === 'GET') return { status: 200, headers: { 'content-type': 'application/xml' }, body: page([]) }
    return present.delete(path.split('/').at(-1) ?? '') ? { status: 202 } : azureError(404, 'BlobNotFound')
  })
  await using store = createAzureStore(azureOptions({ endpoint: service.endpoint, account: 'account' }))
  for (const key of ['a', 'b', 'c', 'd']) await store.delete([key])
  expect(service.seen.map(({ method }) => method)).toEqual(['DELETE', 'GET', 'DELETE', 'DELETE', 'DELETE'])
  expect(
    service.seen.filter(({ method }) => method === 'DELETE').every(({ headers }) => headers['x-ms-delete-snapshots'] === 'include'),
  ).toBe(true)
})

it.each([
  [{ 'x-ms-immutability-policy-until-date': 'Sat, 01 May 2027 00:00:00 GMT' }, { until: new Date('2027-05-01T00:00:00Z') }],
  [{ 'x-ms-legal-hold': 'true' }, { held: true }],
  // A policy of the whole container is told of no blob.
  [{}, {}],
])('a deletion that a policy refuses tells when it ends: %j', async (headers, expected) => {
  await using service = await startFakeService(({ method }) =>
    method === 'HEAD'
      ? { status: 200, headers: { 'content-length': '1', 'last-modified': 'Sat, 01 Nov 2025 00:00:00 GMT', etag: '"0x1"', ...headers } }
      : azureError(409, 'BlobImmutableDueToPolicy'),
  )
  await using store = createAzureStore(azureOptions({ endpoint: service.endpoint, account: 'account' }))
  const error = await store.delete(['a']).catch((refused: unknown) => refused)
  expect(lockOf(error)).toEqual(expected)
  expect(String(error)).toContain('BlobImmutableDueToPolicy')
})
