"""Who answers: a core request goes in, core events come out."""
