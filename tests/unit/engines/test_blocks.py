"""What is believed of the prefix cache, beside a cache that does what the library's sources say it does."""

import itertools
import random
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.engines.openvino.blocks import KV_BLOCK_TOKENS, Blocks, blocks_for, keys_of

SIZE = KV_BLOCK_TOKENS


class Block:
    def __init__(self, stamp):
        self.key, self.stamp, self.users = None, stamp, 0


class Cache:
    """The block manager of OpenVINO GenAI 2026.4: blocks are keyed by all tokens up to their end."""

    def __init__(self, total, chunk):
        self.clock = itertools.count()
        self.free = deque(Block(next(self.clock)) for _ in range(total))
        self.idle, self.known, self.running, self.chunk = {}, {}, [], chunk

    def claim(self, key):
        block = self.idle.pop(key, None) or self.known.get(key)
        if block is not None:
            block.users += 1
            block.stamp = next(self.clock)
        return block

    def allocate(self, key):
        if self.free:
            block = self.free.popleft()
        else:
            oldest = min(self.idle, key=lambda each: self.idle[each].stamp)
            block = self.idle.pop(oldest)
            self.known.pop(block.key, None)
            block.stamp = next(self.clock)
        block.key, block.users = key, 1
        self.known[key] = block
        return block

    def release(self, block):
        block.users -= 1
        if block.users:
            return
        if (other := self.idle.pop(block.key, None)) is not None:
            self.free.append(other)
            if self.known.get(block.key) is other:
                del self.known[block.key]
        self.idle[block.key] = block

    def room(self):
        return len(self.free) + len(self.idle)

    def add(self, prompt, tokens, lease):
        sequence = Sequence(prompt, tokens, lease)
        length = 0
        while length < len(prompt):
            before, length = length, min(length + SIZE, len(prompt))
            block = self.claim(tuple(prompt[:length]))
            partly = before
            while block is None and partly + 1 < min(before + SIZE, len(prompt) + 1):
                partly += 1
                if (block := self.claim(tuple(prompt[:partly]))) is not None:
                    length = partly
            if block is None:
                break
            sequence.blocks.append(block)
            sequence.done = length - (length == len(prompt))
            if length % SIZE:
                break
        sequence.found = sequence.done
        self.running.append(sequence)
        return sequence

    def slots(self, sequence, context):
        """Give a sequence what it needs to compute up to ``context`` tokens."""
        ids = sequence.ids
        if (lacking := blocks_for(context) - len(sequence.blocks)) > 0:
            if sequence.blocks:
                self.rename(sequence.blocks[-1], tuple(ids[: len(sequence.blocks) * SIZE]))
            for _ in range(lacking):
                end = min((len(sequence.blocks) + 1) * SIZE, len(ids))
                sequence.blocks.append(self.allocate(tuple(ids[:end])))
        elif sequence.blocks[-1].users > 1:
            shared = sequence.blocks[-1]
            sequence.blocks[-1] = self.allocate(tuple(ids))
            self.release(shared)
        else:
            self.rename(sequence.blocks[-1], tuple(ids))

    def rename(self, block, key):
        if block.key != key:
            self.known.pop(block.key, None)
            block.key = key
            self.known[key] = block

    def step(self, draw):
        left, said = self.chunk, []
        for sequence in self.running:
            if sequence.done >= len(sequence.prompt):
                self.slots(sequence, len(sequence.ids))
                sequence.done += 1
                left -= 1
                said.append(sequence)
        for sequence in self.running:
            if left > 0 and sequence.done < len(sequence.prompt):
                piece = min(left, len(sequence.prompt) - sequence.done)
                self.slots(sequence, sequence.done + piece)
                sequence.done += piece
                left -= piece
                if sequence.done == len(sequence.prompt):
                    said.append(sequence)
        for sequence in said:
            token = draw()
            sequence.ids.append(token)
            sequence.lease.write([token])
            if len(sequence.ids) == len(sequence.prompt) + sequence.tokens:
                self.running.remove(sequence)
                for block in sequence.blocks:
                    self.release(block)
                sequence.lease.end()


class Sequence:
    def __init__(self, prompt, tokens, lease):
        self.prompt, self.tokens, self.lease = prompt, tokens, lease
        self.ids, self.blocks, self.done, self.found = list(prompt), [], 0, 0


class Day:
    """Random prompts that continue, shorten and repeat each other, at once and after each other.

    memory: so many of the last ones are continued. loyal: how often one is, of the ones that were first.
    """

    def __init__(self, seed, total, alphabet=3, memory=12, loyal=0.0):
        self.random = random.Random(seed)
        self.cache, self.blocks = Cache(total, chunk=self.random.choice((32, 50, 256))), Blocks(total)
        self.alphabet, self.memory, self.loyal = alphabet, memory, loyal
        self.said = [[]]
        self.told = self.there = 0

    def draw(self):
        return self.random.randrange(self.alphabet)

    def begin(self):
        loyal = self.loyal and self.random.random() < self.loyal
        beginning = self.random.choice(self.said[:4] if loyal else self.said[-self.memory :])
        beginning = beginning[: self.random.randrange(len(beginning) + 1)]
        words = [self.draw() for _ in range(self.random.randrange(1, 150))]
        prompt = (beginning + words)[:400]
        lease = self.blocks.begin(prompt)
        sequence = self.cache.add(prompt, self.random.randrange(1, 60), lease)
        assert lease.found <= sequence.found, "it was believed to be there and is not"
        self.told += lease.found
        self.there += sequence.found // SIZE * SIZE
        self.said.append(sequence.ids)

    def go(self, turns, crowd):
        for _ in range(turns):
            needed = sum(blocks_for(len(each.prompt) + each.tokens) for each in self.cache.running)
            if len(self.cache.running) < crowd and needed + 40 < self.cache.room() + sum(
                len(each.blocks) for each in self.cache.running
            ):
                self.begin()
            for _ in range(self.random.randrange(4)):
                if self.cache.running:
                    self.cache.step(self.draw)


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_believed_to_be_there_that_is_gone(seed):
    day = Day(seed, total=random.Random(seed).choice((90, 150, 300)))
    day.go(400, crowd=random.Random(seed).choice((1, 3)))


@pytest.mark.parametrize("seed", range(60))
def test_the_order_in_which_blocks_are_overwritten_is_the_librarys(seed):
    chance = random.Random(seed)
    day = Day(seed, chance.choice((70, 120)), memory=chance.choice((20, 60)), loyal=chance.choice((0, 0.3)))
    day.go(300, crowd=chance.choice((1, 2)))


@pytest.mark.parametrize("seed", [107, 111, 151, 160, 211, 472, 520, 676, 806, 1011, 1026])
def test_blocks_that_were_computed_twice_at_once_are_not_believed_in_too_much(seed):
    """Days on which ledgers that told the copies apart, or did not care, were wrong."""
    Day(seed, total=90 + seed % 200).go(400, crowd=3)


@pytest.mark.parametrize("seed", range(5))
def test_all_whole_blocks_are_told_while_there_is_room_and_one_answer_at_a_time(seed):
    day = Day(seed, total=100_000, alphabet=2)
    day.go(300, crowd=1)
    assert day.told > 0
    assert day.told >= day.there * 0.97  # blocks of answers that are asked for while they are written


@pytest.mark.parametrize("seed", range(3))
def test_under_pressure_most_of_what_is_there_is_still_told(seed):
    day = Day(seed, total=300)
    day.go(2_000, crowd=1)
    assert day.told > day.there / 2


def tokens(count, start=0):
    return list(range(start, start + count))


def answered(blocks, prompt, written=(1,)):
    lease = blocks.begin(prompt)
    lease.write(list(written))
    lease.end()
    return lease.found


def test_a_prompt_is_found_in_whole_blocks_but_for_its_last_token():
    blocks = Blocks(1000)
    assert answered(blocks, tokens(100)) == 0
    assert answered(blocks, tokens(100)) == 96
    assert answered(blocks, tokens(96)) == 95
    assert answered(blocks, [*tokens(64), 7]) == 64
    assert answered(blocks, tokens(31)) == 0
    assert blocks.holds(tokens(100)) == 96


def test_what_was_answered_is_found_too_but_for_the_last_token():
    blocks = Blocks(1000)
    answered(blocks, tokens(40), tokens(56, 40))
    assert blocks.holds(tokens(200)) == 64
    answered(blocks, tokens(40), tokens(57, 40))
    assert blocks.holds(tokens(200)) == 96


def test_a_prompt_that_is_not_computed_yet_is_not_found():
    blocks = Blocks(1000)
    lease = blocks.begin(tokens(64))
    assert blocks.holds(tokens(64)) == 0
    lease.write([1])
    assert blocks.holds(tokens(64)) == 64
    lease.end()
    lease.end()
    cancelled = blocks.begin(tokens(64, 500))
    cancelled.end()
    assert blocks.holds(tokens(64, 500)) == 0


def test_what_was_used_last_outlives_what_was_not():
    blocks = Blocks(64)
    answered(blocks, tokens(320))
    for number in range(20):
        answered(blocks, tokens(320))
        answered(blocks, tokens(640, 10_000 * (number + 1)))
    assert blocks.holds(tokens(320)) == 320
    assert blocks.used_since(tokens(320)) < blocks.room
    for number in range(20):
        answered(blocks, tokens(640, 1_000_000 * (number + 1)))
    assert blocks.holds(tokens(320)) == 0
    assert blocks.used_since(tokens(320)) == blocks.room


def test_a_block_that_was_in_use_for_long_is_as_old_as_its_claim():
    blocks = Blocks(64)
    for number in range(10):
        answered(blocks, tokens(320, 10_000 * number))  # all were used once
    answered(blocks, tokens(64, 500_000))
    lease = blocks.begin(tokens(64, 500_000))
    lease.write([1])
    for number in range(20):
        answered(blocks, tokens(320, 1_000_000 + 10_000 * number))
    lease.end()
    assert blocks.holds(tokens(64, 500_000)) == 0


def test_blocks_that_were_used_once_go_first_when_all_are_used():
    blocks = Blocks(64)
    answered(blocks, tokens(320))
    for number in range(1, 6):
        answered(blocks, tokens(320, 10_000 * number))
        answered(blocks, tokens(320))
    assert blocks.holds(tokens(320)) == 320
    assert blocks.holds(tokens(320, 50_000)) == 0  # the last one, and of all the first to be overwritten
    assert answered(blocks, tokens(320, 50_000)) == 0
    assert blocks.holds(tokens(320)) == 320


def test_nothing_is_believed_after_the_cells_were_full():
    blocks = Blocks(1000)
    answered(blocks, tokens(320))
    blocks.crowd(0.5)
    assert blocks.holds(tokens(320)) == 320
    blocks.crowd(0.99)
    assert blocks.holds(tokens(320)) == 0
    assert answered(blocks, tokens(320)) == 0


@given(st.lists(st.integers(0, 200_000), max_size=200), st.integers(0, 200))
def test_keys_tell_beginnings_apart_and_can_be_continued(ids, cut):
    keys = list(keys_of(ids))
    assert len(keys) == len(ids) // SIZE
    cut = min(cut, len(ids)) // SIZE
    before = keys[cut - 1] if cut else 0
    assert list(keys_of(ids[cut * SIZE :], before)) == keys[cut:]
    assert len(set(keys)) == len(keys)
