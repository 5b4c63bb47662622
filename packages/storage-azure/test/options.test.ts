import { describe, expect, it } from 'vitest'
import { createAzureStore, type AzureStoreOptions } from '@waltz/storage-azure'
import { serviceUrl } from '../src/check-options.ts'
import { ANY_KEY, azureOptions } from './support/store.ts'

function optionsWithout(endpoint: 'endpoint', options: Partial<AzureStoreOptions> = {}): AzureStoreOptions {
  const { [endpoint]: _left, ...rest } = azureOptions({ account: 'account', ...options })
  return rest
}

describe('options', () => {
  it.each([
    [{}, 'https://account.blob.core.windows.net/'],
    [{ environment: 'AzurePublicCloud' }, 'https://account.blob.core.windows.net/'],
    [{ environment: 'AzureUSGovernmentCloud' }, 'https://account.blob.core.usgovcloudapi.net/'],
    [{ environment: 'AzureChinaCloud' }, 'https://account.blob.core.chinacloudapi.cn/'],
    [{ environment: 'AzureGermanCloud' }, 'https://account.blob.core.cloudapi.de/'],
    [{ environment: 'anything else' }, 'https://account.blob.core.windows.net/'],
    [{ environment: 'AzureChinaCloud', endpointSuffix: 'azure.example.org' }, 'https://account.blob.azure.example.org/'],
  ])('%j means %s', (options, url) => {
    expect(serviceUrl(optionsWithout('endpoint', options)).href).toBe(url)
  })
  it('takes the endpoint before all others', () => {
    const options = azureOptions({
      endpoint: 'http://127.0.0.1:10000/devstoreaccount1',
      environment: 'AzureChinaCloud',
      endpointSuffix: 'x',
    })
    expect(serviceUrl(options).href).toBe('http://127.0.0.1:10000/devstoreaccount1')
  })
  it.each<Partial<AzureStoreOptions>>([
    { container: '' },
    { container: 'Upper' },
    { container: 'ab' },
    { container: 'a--b' },
    { container: 'with/slash' },
    { account: '' },
    { bufferBytes: 1023 },
    { bufferBytes: 1024.5 },
    { bufferBytes: 5e9 },
    { maxBuffers: 0 },
    { pageSize: 0 },
    { tryTimeoutMs: 0 },
    { apiVersion: 'latest' },
    { endpoint: 'not a url' },
    { endpoint: 'ftp://host/' },
    { endpoint: 'https://host/?sig=hush-hush' },
    { endpoint: 'https://user:hush-hush@host/' },
    { credentials: { kind: 'account-key', accountKey: 'no base64 hush-hush!' } },
    { credentials: { kind: 'sas', sasToken: 'sv=2021&hush-hush' } },
    { credentials: { kind: 'client-secret', tenantId: '', clientId: 'x', clientSecret: 'hush-hush' } },
  ])('refuses %j', (options) => {
    const make = (): unknown => createAzureStore(azureOptions(options))
    expect(make).toThrow(expect.objectContaining({ kind: 'invalid', code: 'STORAGE_OPTIONS_INVALID' }))
    expect(make).not.toThrow('hush-hush')
  })
  it('refuses what cannot be an account or suffix', () => {
    expect(() => createAzureStore(optionsWithout('endpoint', { account: 'Not_An_Account' }))).toThrow('storage account')
    expect(() => createAzureStore(optionsWithout('endpoint', { endpointSuffix: 'https://x/' }))).toThrow('suffix')
  })
  it('says where it is and what it can do, without I/O', () => {
    const store = createAzureStore(azureOptions({ bufferBytes: 1024, credentials: { kind: 'account-key', accountKey: ANY_KEY } }))
    expect(store.location).toBe('azure://container')
    expect(store.capabilities).toEqual({
      copy: true,
      conditionalPut: true,
      conditionalMultipart: 'store',
      ifMatch: true,
      rangedGet: true,
      maxObjectBytes: 1024 * 50_000,
      maxDeleteBatch: 256,
    })
  })
})
