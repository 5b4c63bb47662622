import { expect } from 'vitest'
import {
  countOf,
  headerOf,
  linesOf,
  list,
  present,
  put,
  remove,
  seen,
  type Act,
  type Given,
  type KeysOf,
  type Proof,
  type Seen,
} from './proof.ts'
import { slowly, type Answering } from './recording-server.ts'

const stored: Answering = ({ method }) =>
  method === 'PUT'
    ? { status: 201, headers: { etag: '"0x1"', 'last-modified': 'Sat, 21 Nov 2026 12:00:00 GMT', 'x-ms-version-id': '1' } }
    : { status: method === 'DELETE' ? 202 : 400 }

/** A container in the recording server. */
const azure = (given: Given, act: Act = put(), answering: Answering = stored): Promise<Seen> =>
  seen(
    (url) =>
      present({
        WALG_AZ_PREFIX: 'azure://box/folder',
        WALTZ_AZURE_ENDPOINT: `${url}/acc`,
        AZURE_STORAGE_ACCOUNT: 'acc',
        AZURE_STORAGE_ACCESS_KEY: 'a2V5',
        WALTZ_STORAGE_MAX_RETRIES: '0',
        ...given,
      }),
    { act, answering },
  )

/** The host that is asked for where no endpoint is given, as a proxy hears it. */
async function hostFor(given: Given): Promise<string | undefined> {
  const run = await seen(
    (url) =>
      present({
        WALG_AZ_PREFIX: 'azure://box',
        AZURE_STORAGE_ACCOUNT: 'acc',
        AZURE_STORAGE_ACCESS_KEY: 'a2V5',
        WALTZ_HTTP_PROXY: url,
        WALTZ_STORAGE_MAX_RETRIES: '0',
        ...given,
      }),
    { act: list },
  )
  return linesOf(run)[0]
}

const blocks = ({ requests }: Seen): readonly number[] =>
  requests.filter(({ url }) => /comp=block(&|$)/.test(url)).map(({ body }) => body.length)

/** Every setting of Azure that Waltz acts on. */
export const azureProofs: Readonly<Record<KeysOf<'azure'>, Proof>> = {
  async azPrefix() {
    expect(linesOf(await azure({ WALG_AZ_PREFIX: undefined, WALE_AZ_PREFIX: 'azure://other/a%20b' }))[0]).toMatch(
      /^PUT \/acc\/other\/a%20b\/key/,
    )
  },
  async azureStorageAccount() {
    expect(headerOf(await azure({ WALE_AZURE_STORAGE_ACCOUNT: 'named', AZURE_STORAGE_ACCOUNT: undefined }), 'authorization')).toMatch(
      /^SharedKey named:/,
    )
  },
  async azureStorageAccessKey() {
    // It is the first choice.
    const run = await azure({ AZURE_STORAGE_SAS_TOKEN: 'sig=x' })
    expect(headerOf(run, 'authorization')).toMatch(/^SharedKey acc:/)
    expect(linesOf(run)[0]).not.toContain('sig=')
  },
  async azureStorageSasToken() {
    for (const token of ['?sv=1&sig=a%2Bb', 'sv=1&sig=a%2Bb\n']) {
      const run = await azure({ AZURE_STORAGE_ACCESS_KEY: undefined, AZURE_STORAGE_SAS_TOKEN: token })
      expect(linesOf(run)[0]).toMatch(/[?&]sv=1&sig=a%2Bb/)
      expect(headerOf(run, 'authorization')).toBeUndefined()
    }
  },
  async azureEnvironmentName() {
    const hosts = await Promise.all(
      ['AzureUSGovernmentCloud', 'AzureChinaCloud', 'AzureGermanCloud', 'AzurePublicCloud', 'whatever', undefined].map((name) =>
        hostFor({ AZURE_ENVIRONMENT_NAME: name }),
      ),
    )
    const ends = [
      'core.usgovcloudapi.net',
      'core.chinacloudapi.cn',
      'core.cloudapi.de',
      'core.windows.net',
      'core.windows.net',
      'core.windows.net',
    ]
    expect(hosts).toEqual(ends.map((end) => `CONNECT acc.blob.${end}:443`))
  },
  async azureEndpointSuffix() {
    expect(await hostFor({ AZURE_ENDPOINT_SUFFIX: 'core.example.net', AZURE_ENVIRONMENT_NAME: 'AzureChinaCloud' })).toBe(
      'CONNECT acc.blob.core.example.net:443',
    )
  },
  async azureEndpoint() {
    expect(headerOf(await azure({ AZURE_ENDPOINT_SUFFIX: 'ignored' }), 'host')).toMatch(/^127\.0\.0\.1:/)
  },
  async azureBufferSize() {
    const run = await azure({ WALG_AZURE_BUFFER_SIZE: '2000' }, put(4500))
    expect(blocks(run).toSorted((left, right) => left - right)).toEqual([500, 2000, 2000])
    expect(blocks(await azure({}, put(4500)))).toEqual([])
  },
  async azureMaxBuffers() {
    const most = async (AZURE_MAX_BUFFERS: string): Promise<number> => {
      const slow = slowly(/comp=block(&|$)/, 60, stored)
      await azure({ AZURE_MAX_BUFFERS, AZURE_BUFFER_SIZE: '1024' }, put(12_000), slow.answering)
      return slow.most()
    }
    expect(await most('1')).toBe(1)
    expect(await most('3')).toBe(3)
  },
  async azureTryTimeout() {
    const run = await seen(
      (url) => ({
        WALG_AZ_PREFIX: 'azure://box',
        WALTZ_AZURE_ENDPOINT: `${url}/acc`,
        AZURE_STORAGE_ACCOUNT: 'acc',
        AZURE_STORAGE_ACCESS_KEY: 'a2V5',
        WALTZ_STORAGE_MAX_RETRIES: '0',
        AZURE_TRY_TIMEOUT: '2',
        WALTZ_STORAGE_IDLE_TIMEOUT: '9m',
      }),
      { act: (store) => store.head('key'), answering: () => undefined, skipWait: 120_000 },
    )
    expect(run.error).toMatchObject({ code: 'STORAGE_STALLED', message: expect.stringContaining('was not done after 120 s') as string })
  },
  async azureBlobStoreApiVersion() {
    expect(headerOf(await azure({ AZURE_BLOB_STORE_API_VERSION: '2020-10-02' }), 'x-ms-version')).toBe('2020-10-02')
    expect(headerOf(await azure({}), 'x-ms-version')).not.toBe('2020-10-02')
  },
  async azureKeepVersions() {
    const versioned: Answering = ({ method }) =>
      method === 'DELETE'
        ? { status: 202 }
        : {
            status: 200,
            headers: { 'content-type': 'application/xml', 'x-ms-version-id': '1' },
            body: '<EnumerationResults><Blobs/></EnumerationResults>',
          }
    const asked = async (given: Given): Promise<number> => countOf(await azure(given, remove('a'), versioned), /include=[^&]*versions/)
    expect(await asked({})).toBeGreaterThan(0)
    expect(await asked({ WALTZ_AZURE_KEEP_VERSIONS: 'true' })).toBe(0)
  },
}
