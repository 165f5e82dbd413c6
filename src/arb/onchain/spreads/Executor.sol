// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

// Runs calls in one transaction and undoes them all unless one token has become more by enough.
//
// Only its owner, who made it, may run anything. While it runs, a contract that it has called may
// call back once, and only with the very calls that the owner has promised to it (`then`): a pool
// that asks to be paid for a swap, or lends before it is paid back. Between two runs it need not
// hold anything.

interface IERC20 {
    function balanceOf(address) external view returns (uint256);
}

contract Executor {
    struct Call {
        address to;
        uint256 value;
        bytes data;
        // keccak-256 of the calls that `to` may have us run while it is called; 0: none.
        bytes32 then;
    }

    event Ran(address indexed token, uint256 gained);

    error NotTheOwner();
    error NotPromised();
    error TooLittle(uint256 gained, uint256 least);

    address public immutable owner = msg.sender;
    address private caller;
    bytes32 private promised;

    receive() external payable {}

    // Runs `calls`; reverts unless the balance of `token` has grown by `least` or more.
    // Without a token nothing is compared: so the owner approves, deposits and takes out.
    function run(Call[] calldata calls, address token, uint256 least)
        external
        payable
        returns (uint256 gained)
    {
        if (msg.sender != owner) revert NotTheOwner();
        uint256 before = token == address(0) ? 0 : IERC20(token).balanceOf(address(this));
        _all(calls);
        if (token == address(0)) return 0;
        uint256 held = IERC20(token).balanceOf(address(this));
        gained = held > before ? held - before : 0;
        if (held < before || gained < least) revert TooLittle(gained, least);
        emit Ran(token, gained);
    }

    // What pools and lenders call back: whatever its name, its last argument is the promised calls.
    //   (address,uint256,uint256,bytes)           a swap like Uniswap v2's
    //   (int256,int256,bytes)                     a swap, (uint256,uint256,bytes) a loan like v3's
    //   (address,uint256,uint256,address,bytes)   a loan like Aave's, which wants `true` returned
    fallback(bytes calldata input) external payable returns (bytes memory) {
        bytes calldata told = input[4:];
        uint256 words;
        if (_word(told, 2) == 96) words = 3;
        else if (_word(told, 3) == 128) words = 4;
        else if (_word(told, 4) == 160) words = 5;
        else revert NotPromised();
        uint256 length = _word(told, words);
        bytes calldata calls = told[32 * (words + 1):32 * (words + 1) + length];
        if (msg.sender != caller || keccak256(calls) != promised) revert NotPromised();
        (caller, promised) = (address(0), 0);
        _all(abi.decode(calls, (Call[])));
        return abi.encode(true);
    }

    function _word(bytes calldata told, uint256 at) private pure returns (uint256) {
        return uint256(bytes32(told[32 * at:32 * (at + 1)]));
    }

    function _all(Call[] memory calls) private {
        for (uint256 at = 0; at < calls.length; ++at) {
            Call memory one = calls[at];
            (caller, promised) = one.then == 0 ? (address(0), bytes32(0)) : (one.to, one.then);
            (bool done, bytes memory answer) = one.to.call{value: one.value}(one.data);
            if (!done) {
                assembly {
                    revert(add(answer, 32), mload(answer))
                }
            }
            if (promised != 0) revert NotPromised();
        }
    }
}
