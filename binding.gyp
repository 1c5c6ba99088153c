{
  # node-gyp only passes through: CMake is the one description of the build. The output is a file that is
  # never made, so that the action always runs and ninja decides what is stale.
  "targets": [
    {
      "target_name": "delegate_to_cmake",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/.cmake-always-runs"],
          "action": ["node", "scripts/native-build.cjs"]
        }
      ]
    }
  ]
}
