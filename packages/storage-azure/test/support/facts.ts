const REQUESTS = {
  whole: /^PUT (?!.*[?&]comp=)/,
  part: /^PUT .*[?&]comp=block(?:&|\s)/,
  complete: /^PUT .*[?&]comp=blocklist/,
  get: /^GET (?!.*[?&]comp=)/,
  delete: /^DELETE /,
}
const SMALL_PARTS = 'its parts are smaller than what the system buffers'

/** What is claimed for this store: its tests prove it, and the reference of storages is made from it. */
export const storageFacts = {
  title: 'Azure',
  package: '@waltz/storage-azure',
  server: "Azurite, Microsoft's emulator",
  notTried:
    'Azure itself, client secrets and other clouds; a managed identity and the default credential get tokens from a fake of the metadata service',
  capabilities: { copy: true, conditionalPut: true, conditionalMultipart: 'store', ifMatch: true, rangedGet: true, maxDeleteBatch: 256 },
  largestObject: '50,000 blocks: 390 GiB unless `AZURE_BUFFER_SIZE` says otherwise',
  unclaimed: {},
  refused: {
    'keys may hold any characters':
      'Azure makes a backslash a slash, so such names are refused; all others are shown by tests of the store',
  },
  partBytes: 65_536,
  races: 1000,
  large: 'soak',
  /** Small blocks, so that little is many; and one size at which a whole body is slow to leave. */
  network: [
    { name: 'blocks of 300 kB', http: true, partBytes: 300_000, requests: REQUESTS, cannotHappen: [SMALL_PARTS] },
    { name: 'blocks of 6 MB', http: true, partBytes: 6_000_000, requests: REQUESTS, cannotHappen: [] },
  ],
} as const
