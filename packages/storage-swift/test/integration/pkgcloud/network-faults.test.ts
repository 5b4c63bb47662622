import { createPkgcloudStore } from '../../../src/pkgcloud.ts'
import { testSwiftFaults } from '../../support/network-faults.ts'

await testSwiftFaults('a Swift store by pkgcloud', createPkgcloudStore)
