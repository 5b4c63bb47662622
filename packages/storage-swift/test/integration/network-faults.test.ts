import { createSwiftStore } from '../../src/index.ts'
import { testSwiftFaults } from '../support/network-faults.ts'

await testSwiftFaults('a Swift store', createSwiftStore)
