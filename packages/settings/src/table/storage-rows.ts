/** Where the repository is, and how objects are compressed. */
export const storageRows = {
  filePrefix: {
    name: 'WALG_FILE_PREFIX',
    aliases: ['WALE_FILE_PREFIX'],
    kind: 'directory-url',
    area: 'storage',
    availability: 'now',
    summary:
      'Directory of the repository: an absolute path, local or mounted, with or without file:// or file://localhost in front. It must exist. A relative path is refused: the server archives from its data directory, so that it would name two places.',
  },
  storagePrefix: {
    name: 'WALG_STORAGE_PREFIX',
    kind: 'text',
    area: 'storage',
    availability: 'now',
    summary: 'A further folder below the root of the repository, for example one per cluster; of every storage, if there are several.',
  },
  compressionMethod: {
    name: 'WALG_COMPRESSION_METHOD',
    kind: 'choice',
    area: 'compression',
    availability: 'now',
    choices: ['lz4', 'lzma', 'zstd', 'brotli', 'none'],
    fallback: 'lz4',
    summary: 'How new objects are compressed. Reading finds out by itself.',
  },
  zstdLevel: {
    name: 'WALG_ZSTD_LEVEL',
    kind: 'choice',
    area: 'compression',
    availability: 'now',
    choices: ['fastest', 'default', 'better', 'best'],
    ignoreCase: true,
    onlyWith: { name: 'WALG_COMPRESSION_METHOD', values: ['zstd'] },
    summary: 'How hard zstd tries.',
  },
  compressionLevel: {
    name: 'WALTZ_COMPRESSION_LEVEL',
    kind: 'integer',
    area: 'compression',
    availability: 'now',
    min: -7,
    max: 22,
    notWith: 'WALG_ZSTD_LEVEL',
    unsetMeans: "the codec's own default",
    summary:
      'Level as the codec counts it: zstd 1 to 22, or -7 to -2 for speed, brotli 0 to 11, lzma 0 to 9. Refused with lz4 and none, which have no levels.',
  },
  zstdLong: {
    name: 'WALTZ_ZSTD_LONG',
    kind: 'integer',
    area: 'compression',
    availability: 'now',
    min: 20,
    max: 27,
    onlyWith: { name: 'WALG_COMPRESSION_METHOD', values: ['zstd'] },
    unsetMeans: 'windows of at most 8 MiB',
    summary:
      'Lets zstd look for repetitions far back, in a window of this power of two: 27 is 128 MiB. Every upload takes at least the window in memory, and so does everybody who reads such an object.',
  },
} as const
